//! Remotes in an object store. The store is moto's server, which scripts/e2e-object-store installs; it runs these tests,
//! and `cargo test` does not.

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use support::{FIRST, Project, Ran, SECOND};

const SECRET: &str = "a-secret-that-nobody-sees";

/// An object store on loopback, with a bucket.
struct Moto {
    server: Child,
    endpoint: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Moto {
    fn start() -> Self {
        let mut server = Command::new("moto_server");
        let mut server =
            server.args(["-H", "127.0.0.1", "-p", "0"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = { &mut lines }.find(|line| line.contains("http://127.0.0.1:")).unwrap();
        let endpoint = line[line.find("http://").unwrap()..].trim().to_owned();
        // Its log has to go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        let moto = Self { server, endpoint };
        moto.put("bucket");
        moto
    }

    fn put(&self, path: &str) {
        self.request("PUT", path, &[]);
    }

    fn request(&self, method: &str, path: &str, options: &[&str]) -> String {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail-with-body", "-X", method, &format!("{}/{path}", self.endpoint)]);
        let asked = curl.args(options).output().unwrap();
        let said = String::from_utf8(asked.stdout).unwrap();
        assert!(asked.status.success(), "{said}");
        said
    }

    /// Removes the largest object of the bucket.
    fn remove_largest(&self) {
        let signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", &format!("a-key:{SECRET}")];
        let listed = self.request("GET", "bucket?list-type=2", &signed);
        let field = |object: &str, name: &str| {
            let (_, after) = object.split_once(&format!("<{name}>")).unwrap();
            after.split_once('<').unwrap().0.to_owned()
        };
        let objects = listed.split("<Contents>").skip(1);
        let largest = objects.max_by_key(|object| field(object, "Size").parse::<u64>().unwrap()).unwrap();
        self.request("DELETE", &format!("bucket/{}", field(largest, "Key")), &signed);
    }

    /// Names a prefix of the bucket as the project's remote.
    fn name(&self, project: &Project, place: &str) {
        let endpoint = self.endpoint.replace(':', "%3A").replace('/', "%2F");
        let address = format!("s3://{place}?endpoint={endpoint}&region=eu-west-1");
        project.write("strixlock.toml", &format!("[[remotes]]\nname = \"team\"\naddress = \"{address}\"\n"));
    }
}

fn command(project: &Project, store: &str, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    command.env("STRIXLOCK_STORE", project.store(store)).env("AWS_ACCESS_KEY_ID", "a-key");
    command.env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_SESSION_TOKEN", "a-token");
    command
}

fn run(project: &Project, store: &str, arguments: &[&str]) -> Ran {
    project.finish(command(project, store, arguments).output().unwrap())
}

/// The digest of the ROCm tree that the lock pins.
fn pinned(project: &Project) -> String {
    let lock: serde_json::Value = serde_json::from_str(&project.lock()).unwrap();
    lock["inputs"]["rocm"]["locked"]["tree"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn what_one_machine_pushes_to_a_bucket_another_realizes() {
    let (project, moto) = (Project::new(), Moto::start());
    project.realize_rocm(FIRST);
    moto.name(&project, "bucket/team/strix");
    run(&project, "main", &["push", "rocm"]).code(0);
    let ran = run(&project, "other", &["realize", "--json", "-vv"]).code(0);
    assert_eq!((ran.tree("rocm"), ran.json()["received"].as_array().unwrap().len()), (pinned(&project), 1));
    // The log has addresses, and neither secrets nor signatures.
    assert!(ran.stderr.contains("/bucket/team/strix/index.json"), "{}", ran.stderr);
    for secret in [SECRET, "a-token", "Signature=", "Credential="] {
        assert!(!ran.stderr.contains(secret), "{secret}: {}", ran.stderr);
    }
    project.realize_rocm(SECOND);
    let pushed = run(&project, "main", &["push", "rocm", "--json"]).code(0).json();
    assert!(pushed["reused"].as_u64().unwrap() > 0, "{pushed:#}");
    run(&project, "main", &["remote", "verify"]).code(0);
    // Nothing is old enough to be removed, and the records are.
    run(&project, "main", &["remote", "gc", "--keep", "1"]).code(0);
    run(&project, "main", &["remote", "verify"]).code(0);
    run(&project, "other", &["pull", "rocm"]).code(0);
    run(&project, "other", &["verify"]).code(0);
}

#[test]
fn pushes_to_a_bucket_at_the_same_time_lose_nothing() {
    let (project, moto) = (Project::new(), Moto::start());
    project.realize_rocm(FIRST);
    moto.name(&project, "bucket");
    project.realize_beside("two", SECOND, &[]);
    std::fs::copy(project.path("strixlock.toml"), project.directory.path().join("two/strixlock.toml")).unwrap();
    std::thread::scope(|scope| {
        let one = scope.spawn(|| run(&project, "main", &["push", "rocm"]));
        let two = scope.spawn(|| {
            let mut command = command(&project, "main", &["push", "rocm"]);
            project.finish(command.current_dir(project.directory.path().join("two")).output().unwrap())
        });
        one.join().unwrap().code(0);
        two.join().unwrap().code(0);
    });
    let listed = run(&project, "main", &["remote", "ls", "--json"]).code(0).json();
    assert_eq!(listed["outputs"].as_array().unwrap().len(), 2, "{listed:#}");
}

#[test]
fn a_missing_object_is_damage_that_the_next_push_mends() {
    let (project, moto) = (Project::new(), Moto::start());
    project.realize_rocm(FIRST);
    moto.name(&project, "bucket/team");
    run(&project, "main", &["push", "rocm"]).code(0);
    moto.remove_largest();
    run(&project, "other", &["pull", "rocm"]).code(9);
    run(&project, "main", &["remote", "verify", "--remove-damaged"]).code(7);
    run(&project, "main", &["push", "rocm"]).code(0);
    run(&project, "main", &["remote", "verify"]).code(0);
    run(&project, "other", &["pull", "rocm"]).code(0);
}

#[test]
fn a_bucket_that_is_missing_or_down_is_named() {
    let (project, moto) = (Project::new(), Moto::start());
    project.realize_rocm(FIRST);
    moto.name(&project, "nobucket/a");
    let missing = run(&project, "main", &["push", "rocm"]).code(9);
    assert!(missing.stderr.contains("NoSuchBucket"), "{}", missing.all());
    run(&project, "other", &["pull", "rocm"]).code(9);
    moto.name(&project, "bucket/a");
    run(&project, "other", &["pull", "rocm"]).code(9);
    drop(moto);
    run(&project, "other", &["pull", "rocm"]).code(8);
}
