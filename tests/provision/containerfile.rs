//! Runs of the first stage of `strixlock export containerfile`, with a directory as root and a stand-in for curl.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use super::IMAGE;
use crate::support::{Project, Ran};

const TOOLS: [&str; 13] =
    ["basename", "cat", "curl", "cut", "dirname", "gzip", "mkdir", "mkfifo", "mv", "sha256sum", "tar", "tee", "tr"];

/// A first stage, with `curl` and the tarball.
struct Stage {
    project: Project,
    script: String,
}

impl Stage {
    /// Exports it from a lock whose tarball curl has.
    fn new() -> Self {
        let project = Project::new();
        project.rocm_manifest("10.1.0a20260901");
        project.run(&["update"]).code(0);
        let text = project.run(&["export", "containerfile", "--image", IMAGE]).code(0).stdout;
        let (_, run) = text.split_once("\nRUN ").unwrap();
        let (run, _) = run.split_once("\n\n").unwrap();
        let mut script = run.replace("\\\n", "");
        for place in ["/opt/rocm", "/parts", "/tmp/"] {
            script = script.replace(place, &format!("[ROOT]{place}"));
        }
        // The parts keep the place that they have in the image.
        let script = script.replace("tr -d .)[ROOT]/", "tr -d .)/");
        let script = script.replace("[ROOT]", project.path("root").to_str().unwrap());
        let stage = Self { project, script };
        let lock: serde_json::Value = serde_json::from_str(&stage.project.lock()).unwrap();
        let name = lock["inputs"]["rocm"]["locked"]["file"].as_str().unwrap();
        let upstream = stage.project.directory.path().join("upstream");
        let found = Command::new("find").arg(upstream).args(["-name", name]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        std::fs::copy(found.lines().next().unwrap(), stage.project.path("tarball")).unwrap();
        stage.curl("cat tarball");
        stage
    }

    /// Replaces curl by this script.
    fn curl(&self, does: &str) {
        self.project.write("curl", &format!("#!/bin/sh\n{does}\n"));
        std::fs::set_permissions(self.project.path("curl"), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Runs it on a base image that lacks a tool.
    fn run_without(&self, lacking: &str) -> Ran {
        for directory in ["root", "tools"] {
            let _ = std::fs::remove_dir_all(self.project.path(directory));
        }
        std::fs::create_dir_all(self.project.path("root/tmp")).unwrap();
        std::fs::create_dir(self.project.path("tools")).unwrap();
        for tool in TOOLS.into_iter().filter(|tool| *tool != lacking) {
            let program = if tool == "curl" { self.project.path("curl") } else { on_path(tool) };
            symlink(program, self.project.path("tools").join(tool)).unwrap();
        }
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &self.script]).current_dir(self.project.path("")).env_clear();
        command.env("PATH", self.project.path("tools")).env("ROCM_URL", "https://upstream.example/rocm.tar.gz");
        self.project.finish(command.output().unwrap())
    }

    fn run(&self) -> Ran {
        self.run_without("nothing")
    }
}

fn on_path(tool: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|directory| directory.join(tool)).find(|program| program.is_file()).unwrap()
}

#[test]
fn the_locked_tarball_is_unpacked_into_its_parts() {
    let stage = Stage::new();
    let ran = stage.run().code(0);
    assert_eq!(ran.stderr, "");
    assert!(stage.project.path("root/opt/rocm/bin/rocminfo").is_file());
    assert!(stage.project.path("root/parts/llvm/opt/rocm/lib/llvm").is_dir());
}

#[test]
fn what_the_base_image_lacks_is_named_before_any_work() {
    let stage = Stage::new();
    for tool in TOOLS {
        let ran = stage.run_without(tool).code(1);
        assert_eq!(ran.stderr, format!("the base image lacks {tool}\n"));
        assert!(!stage.project.path("root/parts").exists());
    }
}

#[test]
fn a_transfer_that_failed_is_not_called_wrong_bytes() {
    let stage = Stage::new();
    for does in ["echo 'curl: (22) error: 404' >&2; exit 22", "head -c 1000 tarball; exit 22", "cat tarball; exit 22"] {
        stage.curl(&format!("PATH=/usr/bin:/bin; {does}"));
        let ran = stage.run().code(1);
        let told = "the download failed: curl ended with 22 for https://upstream.example/rocm.tar.gz\n";
        assert!(ran.stderr.ends_with(told) && !ran.stderr.contains("locked"), "{}", ran.all());
    }
}

#[test]
fn wrong_bytes_are_told_apart_from_a_disk_that_cannot_hold_the_right_ones() {
    let stage = Stage::new();
    for does in ["cat tarball; echo more", "echo other"] {
        stage.curl(does);
        let ran = stage.run().code(1);
        assert!(ran.stderr.contains("the download is not the locked one: locked "), "{}", ran.all());
    }
    stage.curl("cat tarball");
    let script = stage.script.replacen("--no-same-owner", "--no-same-owner --no-such-option", 1);
    let ran = Stage { script, ..stage }.run().code(1);
    assert!(ran.stderr.ends_with("the tarball is the locked one, and tar cannot unpack it here\n"), "{}", ran.all());
}
