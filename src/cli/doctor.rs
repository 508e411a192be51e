//! `strixlock doctor`

use std::path::Path;

use super::advice::advice;
use super::ui::{DIM, ERROR, GOOD, WARNING};
use super::{Session, Ui};
use crate::doctor::{Disk, Finding, Level, PROXY_VARIABLES, Surroundings, examine};
use crate::error::{Kind, Result};
use crate::host::Host;
use crate::inputs::InputRequest;
use crate::inputs::debs::{KeyPlace, key_place};
use crate::manifest::Manifest;
use crate::recipe::Recipe;
use crate::sandbox::Engine;

/// Check this machine for problems; exit with code 10 if there are any
///
/// Checks kernel and firmware, device nodes and groups, memory for the GPU, sandboxes and programs for builds, disk,
/// keys of package archives, and proxies. Prints what was found, why it matters, and the command that fixes it. Changes
/// nothing, uses no network, and also works inside a container.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Read system files below this directory instead of /
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: std::path::PathBuf,
}

pub fn run(args: &DoctorArgs, session: &Session) -> Result<u8> {
    let ui = &session.ui;
    let host = Host::read(&args.root);
    let proxies = PROXY_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let surroundings = Surroundings {
        sandbox: Some(Engine::demand(true)),
        without_sysroot: session.manifest().ok().map(without_sysroot),
        missing_programs: session.manifest().ok().map(missing_programs).unwrap_or_default(),
        keys: session.manifest().ok().map(|manifest| keys(manifest, session)).unwrap_or_default(),
        disk: disk(&session.store_path()?),
        proxies: proxies.collect(),
        known_bad: session.lock_if_there().ok().flatten().map(|lock| advice(session, lock)).unwrap_or_default(),
    };
    let findings = examine(&host, &surroundings);
    let worst = findings.iter().map(|finding| finding.level).max();
    ui.result(serde_json::json!({ "container": host.container, "worst": worst, "findings": findings }), || {
        for finding in &findings {
            show(ui, finding);
        }
        ui.line(summary(&findings));
    });
    Ok(if worst == Some(Level::Bad) { Kind::Unfit as u8 } else { 0 })
}

/// Counts the problems, and mentions advice if there are none.
fn summary(findings: &[Finding]) -> String {
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    match (count(Level::Bad), count(Level::Advice)) {
        (0, 0) => "no problems found".to_owned(),
        (0, _) => "no problems found; see the advice above".to_owned(),
        (1, _) => "1 problem found".to_owned(),
        (problems, _) => format!("{problems} problems found"),
    }
}

fn show(ui: &Ui, finding: &Finding) {
    let (style, mark) = match finding.level {
        Level::Good => (GOOD, "ok     "),
        Level::Advice => (WARNING, "advice "),
        Level::Bad => (ERROR, "problem"),
    };
    ui.line(format!("{style}{mark}{style:#}  {:10}  {}", finding.check, finding.found));
    for (label, text) in [("why ", &finding.why), ("hint", &finding.mend)] {
        if let Some(text) = text {
            ui.line(format!("                     {DIM}{label}{DIM:#}  {text}"));
        }
    }
}

/// Returns the outputs that are built in the host's own root.
fn without_sysroot(manifest: &Manifest) -> Vec<String> {
    let is_without = |recipe: &Recipe| recipe.cmake_build().is_some_and(|build| build.project().sysroot.is_none());
    manifest.outputs.iter().filter(|(_, recipe)| is_without(recipe)).map(|(name, _)| name.clone()).collect()
}

/// Returns the programs that such builds call and that this machine lacks.
fn missing_programs(manifest: &Manifest) -> Vec<(&'static str, &'static str)> {
    let mut missing = Vec::new();
    for recipe in manifest.outputs.values() {
        if let Some(build) = recipe.cmake_build()
            && build.project().sysroot.is_none()
        {
            let is_missing = |(name, _): &&(&str, &str)| !Path::new("/usr/bin").join(name).exists();
            missing.extend(build.programs().iter().filter(is_missing).copied());
        }
    }
    missing.sort_unstable();
    missing.dedup();
    missing
}

/// Returns the place of the keys for each input with packages.
fn keys(manifest: &Manifest, session: &Session) -> Vec<(String, Result<KeyPlace>)> {
    let directory = session.project.manifest_directory();
    let place = |(name, request): (&String, &InputRequest)| match request {
        InputRequest::Debs(request) => Some((name.clone(), key_place(request, &directory))),
        _ => None,
    };
    manifest.inputs.iter().filter_map(place).collect()
}

/// Returns the free space at the place of the store, which need not exist yet.
fn disk(store: &Path) -> Option<Disk> {
    let there = store.ancestors().find(|path| path.exists())?;
    let space = rustix::fs::statvfs(there).ok()?;
    Some(Disk { store: store.to_path_buf(), free: space.f_bavail.saturating_mul(space.f_frsize) })
}
