//! `strixlock doctor`

use std::path::Path;
use std::time::Duration;

use url::Url;

use super::advice::advice;
use super::ui::{DIM, ERROR, GOOD, WARNING};
use super::{Session, Ui};
use crate::advisories::{Advisory, built_in};
use crate::doctor::{Disk, Finding, Level, MergeDriver, Network, PROXY_VARIABLES, Server, Surroundings, examine};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::inputs::InputRequest;
use crate::inputs::debs::{KeyPlace, key_place};
use crate::lock::merge::{DRIVER, SETTING};
use crate::lock::{self, Lock};
use crate::manifest::Manifest;
use crate::recipe::Recipe;
use crate::sandbox::Engine;
use crate::upstream::git::Worktree;
use crate::urls::server;

/// The time in which a server has to answer; a shorter `window-seconds` of the configuration takes its place.
const PATIENCE: Duration = Duration::from_secs(5);

/// Check this machine for problems; exit with code 10 if there are any
///
/// Checks kernel and firmware, device nodes and groups, memory for the GPU, sandboxes and programs for builds, disk,
/// keys of package archives, proxies, and the servers of the manifest's inputs, each of which has 5 seconds to answer
/// (with --offline none is asked). Prints what was found, why it matters, and the command that fixes it. Changes
/// nothing, and also works inside a container.
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
        advisories: known(session.lock_if_there().ok().flatten()),
        known_bad: session.lock_if_there().ok().flatten().map(|lock| advice(session, lock)).unwrap_or_default(),
        merge_driver: merge_driver(session),
        network: session.manifest().ok().map(|manifest| network(manifest, session)),
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

/// Returns the advisories of the program, and those of the lock if there is one.
fn known(lock: Option<&Lock>) -> Vec<Advisory> {
    lock.map_or_else(|| built_in().to_vec(), |lock| lock::known(&lock.inputs))
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

/// Returns what git knows of the merge driver, if the project has a lock in a git repository.
fn merge_driver(session: &Session) -> Option<MergeDriver> {
    let lock = session.project.lock_path();
    let worktree = Worktree::around(&session.project.directory()).ok().flatten().filter(|_| lock.is_file())?;
    let is_named = worktree.merge_driver(&worktree.name_of(&lock)?).as_deref() == Some(DRIVER);
    Some(MergeDriver { is_named, has_command: worktree.setting(SETTING).is_some() })
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

/// Asks the servers of all inputs side by side.
fn network(manifest: &Manifest, session: &Session) -> Network {
    if session.is_offline() {
        return Network::Offline;
    }
    let fetcher = match session.fetcher() {
        Ok(fetcher) => fetcher,
        // Without certificates of authorities, for example.
        Err(error) => {
            let inputs = manifest.inputs.keys().cloned().collect();
            return Network::Asked(vec![Server { name: "https".to_owned(), inputs, answer: Some(Err(error)) }]);
        }
    };
    let mut servers: Vec<(Server, Option<Url>)> = Vec::new();
    for (input, request) in &manifest.inputs {
        let addresses = match request.asks() {
            Ok(addresses) => addresses,
            Err(error) => {
                let (name, inputs) = (input.clone(), vec![input.clone()]);
                servers.push((Server { name, inputs, answer: Some(Err(error)) }, None));
                continue;
            }
        };
        for address in addresses {
            let url = Url::parse(&address).ok().filter(|url| url.scheme() != "file" && url.has_host());
            let urls = url.map_or_else(Vec::new, |url| fetcher.settings().with_mirrors(&[url]));
            if urls.is_empty() && !address.starts_with('/') && !address.starts_with("file:") {
                add(&mut servers, address, input, None);
            }
            for url in urls {
                let web = matches!(url.scheme(), "http" | "https");
                let name = server(&url);
                add(&mut servers, name, input, web.then_some(url));
            }
        }
    }
    Network::Asked(std::thread::scope(|scope| {
        let ask = |url: Url| scope.spawn(move || fetcher.reach(&url, PATIENCE));
        let asked: Vec<_> = servers.into_iter().map(|(server, url)| (server, url.map(ask))).collect();
        let answered = asked.into_iter().map(|(server, thread)| {
            let answer = thread.map(|thread| thread.join().unwrap_or_else(|_| Err(Error::failure("not asked"))));
            Server { answer: server.answer.or(answer), ..server }
        });
        answered.collect()
    }))
}

/// Adds a server, or an input to one that is there.
fn add(servers: &mut Vec<(Server, Option<Url>)>, name: String, input: &str, url: Option<Url>) {
    match servers.iter_mut().find(|(server, _)| server.name == name) {
        Some((server, _)) if server.inputs.iter().any(|there| there == input) => {}
        Some((server, _)) => server.inputs.push(input.to_owned()),
        None => servers.push((Server { name, inputs: vec![input.to_owned()], answer: None }, url)),
    }
}

/// Returns the free space at the place of the store, which need not exist yet.
fn disk(store: &Path) -> Option<Disk> {
    let there = store.ancestors().find(|path| path.exists())?;
    let space = rustix::fs::statvfs(there).ok()?;
    Some(Disk { store: store.to_path_buf(), free: space.f_bavail.saturating_mul(space.f_frsize) })
}
