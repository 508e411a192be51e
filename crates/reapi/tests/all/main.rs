//! The client against services on loopback: a small one of our own, which lies on request.

mod server;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2::{
    ActionResult, ExecutedActionMetadata, OutputDirectory, Tree,
};
use bazel_remote_apis::build::bazel::remote::execution::v2::{Directory, FileNode};
use prost::Message as _;
use server::{Server, State, Step};
use strixlock_ground::error::{Error, Kind, Result};
use strixlock_reapi::{
    BlobDigest, Cache, Caller, Contents, InputTree, Inputs, Job, Node, Outcome, OutputTree, Service, Settings, Shared,
    Stage, Watch, cancel_all,
};
use tokio::sync::Notify;
use tonic::Code;

/// Takes note of everything.
#[derive(Default)]
struct Noted {
    stages: Vec<Stage>,
    output: Vec<u8>,
    uploaded: u64,
    /// Bytes of output after which there is an error.
    most: Option<usize>,
}

impl Watch for Noted {
    fn stage(&mut self, stage: &Stage) {
        self.stages.push(stage.clone());
    }

    fn uploaded(&mut self, sent: u64, _total: u64) {
        self.uploaded = sent;
    }

    fn output(&mut self, said: &[u8]) -> io::Result<()> {
        self.output.extend_from_slice(said);
        if self.most.is_some_and(|most| self.output.len() > most) { Err(io::Error::other("too much")) } else { Ok(()) }
    }
}

fn connect(server: &Server) -> Result<Service> {
    Service::connect(Settings { attempts: 3, ..Settings::new(server.url().parse().unwrap()) }, &Caller::default())
}

/// A tree with a small and a large file.
fn inputs() -> (BlobDigest, BTreeMap<BlobDigest, Contents>) {
    let (mut tree, mut blobs) = (InputTree::default(), BTreeMap::new());
    for (path, bytes) in [("small", b"small".to_vec()), ("large", b"large ".repeat(100_000)), ("empty", Vec::new())] {
        let digest = BlobDigest::of(&bytes);
        tree.add(path.as_bytes(), Node::File { digest, executable: false }).unwrap();
        blobs.insert(digest, Contents::Bytes(bytes));
    }
    let merkle = tree.finish(false);
    blobs.extend(merkle.directories.into_iter().map(|(digest, bytes)| (digest, Contents::Bytes(bytes))));
    (merkle.root, blobs)
}

fn job(input_root: BlobDigest) -> Job {
    Job {
        arguments: vec!["/bin/true".to_owned()],
        environment: BTreeMap::new(),
        outputs: vec!["build/dest".to_owned()],
        platform: Vec::new(),
        timeout: None,
        input_root,
    }
}

fn run(service: &Service, cache: Cache, watch: &mut dyn Watch) -> Result<Outcome> {
    let (root, blobs) = inputs();
    service.run(&job(root), Inputs { shared: &Shared::default(), own: &blobs }, cache, watch)
}

/// Puts the files of an output into the service's storage. Returns the result that names them.
fn result(state: &mut State, files: &[(&str, &[u8])]) -> ActionResult {
    let mut keep = |bytes: Vec<u8>| {
        let digest = BlobDigest::of(&bytes);
        state.blobs.insert(digest.sha256.hex(), bytes);
        let size_bytes = digest.size as i64;
        let hash = digest.sha256.hex();
        Some(bazel_remote_apis::build::bazel::remote::execution::v2::Digest { hash, size_bytes })
    };
    let mut root = Directory::default();
    for (name, bytes) in files {
        let digest = keep(bytes.to_vec());
        root.files.push(FileNode { name: (*name).to_owned(), digest, ..FileNode::default() });
    }
    let tree = Tree { root: Some(root), children: Vec::new() };
    let directory = OutputDirectory {
        path: "build/dest".to_owned(),
        tree_digest: keep(tree.encode_to_vec()),
        ..OutputDirectory::default()
    };
    ActionResult {
        output_directories: vec![directory],
        stdout_raw: b"said\n".to_vec(),
        execution_metadata: Some(ExecutedActionMetadata {
            worker: "w1".to_owned(),
            ..ExecutedActionMetadata::default()
        }),
        ..ActionResult::default()
    }
}

/// A service that is ready to run a job with these files as its output, after these steps.
fn ready(files: &[(&str, &[u8])], before: &[Step]) -> Server {
    let server = Server::start(State::default());
    server.with(|state| {
        let done = Step::Done(Box::new(result(state, files)));
        state.steps = before.iter().cloned().chain([done]).collect();
    });
    server
}

fn downloaded(service: &Service, outcome: &Outcome) -> Result<BTreeMap<String, Vec<u8>>> {
    let place = tempfile::tempdir().unwrap();
    let to = place.path().join("dest");
    let tree: OutputTree = service.output(outcome, "build/dest", 1 << 20)?;
    service.download(&tree, &to)?;
    let read = |entry: io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
    };
    Ok(std::fs::read_dir(to).unwrap().map(read).collect())
}

#[test]
fn a_job_runs_and_its_output_comes_back() {
    let large = b"0123456789".repeat(200_000);
    for zstd in [false, true] {
        let server = ready(&[("a", b"a"), ("b", b""), ("large", &large)], &[]);
        server.with(|state| state.zstd = zstd);
        let service = connect(&server).unwrap();
        let mut noted = Noted::default();
        let outcome = run(&service, Cache::Use, &mut noted).unwrap();
        assert_eq!((outcome.exit_code, outcome.worker.as_str(), outcome.cached), (0, "w1", false));
        assert_eq!(noted.output, b"said\n");
        assert_eq!(noted.stages, [Stage::Upload, Stage::Running]);
        assert!(noted.uploaded > 600_000);
        let files = downloaded(&service, &outcome).unwrap();
        assert_eq!(files["large"], large);
        assert_eq!((files["a"].as_slice(), files["b"].as_slice(), files.len()), (&b"a"[..], &b""[..], 3));
    }
}

#[test]
fn what_the_service_has_is_not_uploaded_again() {
    let server = ready(&[], &[]);
    let service = connect(&server).unwrap();
    let (_, blobs) = inputs();
    let first = service.upload(&blobs, &mut |_, _| ()).unwrap();
    assert_eq!((first.blobs, server.with(|state| state.written)), (3, 3));
    assert_eq!(service.upload(&blobs, &mut |_, _| ()).unwrap().blobs, 0);
    assert_eq!(server.with(|state| state.written), 3);
}

#[test]
fn shared_inputs_are_asked_for_once_unless_the_service_lost_them() {
    let server = ready(&[], &[]);
    let service = connect(&server).unwrap();
    let (root, blobs) = inputs();
    let (count, shared) = (blobs.len() - 1, Shared::from(blobs));
    let own: BTreeMap<_, _> =
        [b"one", b"two"].map(|bytes| (BlobDigest::of(bytes), Contents::Bytes(bytes.into()))).into();
    let run = || service.run(&job(root), Inputs { shared: &shared, own: &own }, Cache::Ignore, &mut Noted::default());
    // The empty blob is known everywhere. Each job has a command and an action besides.
    run().unwrap();
    assert_eq!(server.with(|state| std::mem::take(&mut state.asked)), [count, 2, 2]);
    server.with(|state| {
        let done = Step::Done(Box::new(result(state, &[])));
        state.steps.push_back(done);
    });
    run().unwrap();
    assert_eq!(server.with(|state| std::mem::take(&mut state.asked)), [2, 2]);
    server.with(|state| {
        state.blobs.clear();
        let done = Step::Done(Box::new(result(state, &[])));
        state.steps.extend([Step::Ends(Code::FailedPrecondition), done]);
    });
    run().unwrap();
    assert_eq!(server.with(|state| std::mem::take(&mut state.asked)), [2, 2, count, 2, 2]);
}

#[test]
fn a_result_in_the_cache_needs_no_upload_unless_it_is_a_failure() {
    let server = ready(&[("a", b"new")], &[]);
    let service = connect(&server).unwrap();
    server.with(|state| {
        let cached = result(state, &[("a", b"cached")]);
        state.cache.insert("any".to_owned(), cached);
    });
    let mut noted = Noted::default();
    let outcome = run(&service, Cache::Use, &mut noted).unwrap();
    assert!(outcome.cached && noted.output == b"said\n" && noted.stages.is_empty());
    assert_eq!(downloaded(&service, &outcome).unwrap()["a"], b"cached");
    assert_eq!(server.with(|state| (state.written, state.executed.len())), (0, 0));
    server.with(|state| state.cache.get_mut("any").unwrap().exit_code = 1);
    let outcome = run(&service, Cache::Use, &mut Noted::default()).unwrap();
    assert!(!outcome.cached && downloaded(&service, &outcome).unwrap()["a"] == b"new");
}

#[test]
fn a_result_in_the_cache_whose_log_is_lost_is_made_anew() {
    let server = ready(&[("a", b"new")], &[]);
    server.with(|state| {
        let mut cached = result(state, &[("a", b"cached")]);
        cached.stdout_raw.clear();
        cached.stdout_digest = cached.output_directories[0].tree_digest.clone();
        cached.stdout_digest.as_mut().unwrap().hash = BlobDigest::of(b"lost").sha256.hex();
        state.cache.insert("any".to_owned(), cached);
    });
    let outcome = run(&connect(&server).unwrap(), Cache::Use, &mut Noted::default()).unwrap();
    assert!(!outcome.cached);
    assert_eq!(server.with(|state| state.executed.clone()), [true]);
}

#[test]
fn an_upload_that_does_not_move_ends() {
    let server = Server::start(State { stuck: true, ..State::default() });
    let patience = Duration::from_millis(300);
    let settings = Settings { patience, attempts: 1, ..Settings::new(server.url().parse().unwrap()) };
    let service = Service::connect(settings, &Caller::default()).unwrap();
    let error = service.upload(&inputs().1, &mut |_, _| ()).unwrap_err();
    assert!(error.kind() == Kind::Unreachable && error.to_string().contains("did not answer in time"), "{error}");
}

#[test]
fn a_cache_that_is_not_to_be_used_is_not_asked() {
    let server = ready(&[("a", b"new")], &[]);
    let service = connect(&server).unwrap();
    server.with(|state| {
        let cached = result(state, &[("a", b"cached")]);
        state.cache.insert("any".to_owned(), cached);
    });
    let outcome = run(&service, Cache::Ignore, &mut Noted::default()).unwrap();
    assert!(!outcome.cached);
    assert_eq!(server.with(|state| state.executed.clone()), [true]);
}

#[test]
fn bytes_that_are_not_those_of_the_digest_are_refused() {
    let large = b"0123456789".repeat(200_000);
    for tamper in [
        (|mut bytes: Vec<u8>| {
            if let Some(first) = bytes.first_mut() {
                *first ^= 1;
            }
            bytes
        }) as fn(Vec<u8>) -> Vec<u8>,
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |bytes| [bytes, b"more".to_vec()].concat(),
        |_| Vec::new(),
    ] {
        for (files, zstd) in [
            (&[("large", &large[..])][..], false),
            (&[("large", &large[..])], true),
            (&[("a", b"a"), ("b", b"b")], false),
        ] {
            let server = ready(files, &[]);
            server.with(|state| state.zstd = zstd);
            let service = connect(&server).unwrap();
            let outcome = run(&service, Cache::Use, &mut Noted::default()).unwrap();
            let tree = service.output(&outcome, "build/dest", 1 << 20).unwrap();
            server.with(|state| state.tamper = Some(tamper));
            let place = tempfile::tempdir().unwrap();
            let error = service.download(&tree, &place.path().join("dest")).unwrap_err();
            assert_eq!(error.kind(), Kind::Mismatch, "{error}");
            assert_eq!(service.output(&outcome, "build/dest", 1 << 20).unwrap_err().kind(), Kind::Mismatch);
        }
    }
}

#[test]
fn compressed_bytes_that_go_on_after_the_file_are_refused() {
    let large = b"0123456789".repeat(200_000);
    let server = ready(&[("large", &large)], &[]);
    server.with(|state| state.zstd = true);
    let service = connect(&server).unwrap();
    let outcome = run(&service, Cache::Use, &mut Noted::default()).unwrap();
    let tree = service.output(&outcome, "build/dest", 1 << 20).unwrap();
    for (frames, is_taken) in [(1, true), (400_000, false)] {
        server.with(|state| state.frames = frames);
        let place = tempfile::tempdir().unwrap();
        let result = service.download(&tree, &place.path().join("dest"));
        assert_eq!(result.as_ref().err().map(Error::kind), (!is_taken).then_some(Kind::Mismatch));
    }
}

#[test]
fn other_outputs_than_those_asked_for_are_refused() {
    let server = Server::start(State::default());
    server.with(|state| {
        let mut odd = result(state, &[("a", b"a")]);
        odd.output_directories[0].path = "etc".to_owned();
        state.steps.push_back(Step::Done(Box::new(odd)));
    });
    let error = run(&connect(&server).unwrap(), Cache::Use, &mut Noted::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    assert!(format!("{error}").contains("other outputs"), "{error}");
}

#[test]
fn a_broken_connection_is_taken_up_again() {
    let server = ready(&[("a", b"a")], &[Step::Break, Step::Break]);
    let outcome = run(&connect(&server).unwrap(), Cache::Use, &mut Noted::default()).unwrap();
    assert_eq!(outcome.exit_code, 0);
    assert_eq!(server.with(|state| (state.executed.len(), state.waited)), (1, 2));
}

#[test]
fn a_connection_that_breaks_each_time_is_given_up() {
    let server = ready(&[("a", b"a")], &vec![Step::Break; 40]);
    let settings = Settings { attempts: 3, ..Settings::new(server.url().parse().unwrap()) };
    let service = Service::connect(settings, &Caller::default()).unwrap();
    let error = run(&service, Cache::Use, &mut Noted::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
}

#[test]
fn a_service_that_is_started_again_goes_on_with_the_build() {
    let server = ready(&[("a", b"a")], &[Step::Hangs]);
    let settings = Settings { attempts: 2, ..Settings::new(server.url().parse().unwrap()) };
    let service = Service::connect(settings, &Caller::default()).unwrap();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&service, Cache::Use, &mut Noted::default()));
        while server.with(|state| state.executed.is_empty()) {
            std::thread::yield_now();
        }
        let server = server.restart(Duration::from_secs(1));
        assert_eq!(running.join().unwrap().unwrap().exit_code, 0);
        assert_eq!(server.with(|state| (state.executed.len(), state.waited)), (1, 1));
    });
}

/// Lets the service go on when it is told that no worker takes the job.
struct Patient(Noted, Arc<Notify>);

impl Watch for Patient {
    fn stage(&mut self, stage: &Stage) {
        self.0.stage(stage);
        if *stage == Stage::Waiting {
            self.1.notify_one();
        }
    }

    fn uploaded(&mut self, sent: u64, total: u64) {
        self.0.uploaded(sent, total);
    }

    fn output(&mut self, said: &[u8]) -> io::Result<()> {
        self.0.output(said)
    }
}

#[test]
fn a_job_that_no_worker_takes_is_told_as_such() {
    let until = Arc::new(Notify::new());
    let server = ready(&[("a", b"a")], &[Step::Queued(Arc::clone(&until))]);
    let settings = Settings { queue: Duration::ZERO, ..Settings::new(server.url().parse().unwrap()) };
    let service = Service::connect(settings, &Caller::default()).unwrap();
    let mut watch = Patient(Noted::default(), until);
    run(&service, Cache::Use, &mut watch).unwrap();
    let (queued, waiting) = (Stage::Queued, Stage::Waiting);
    let expected = [Stage::Upload, Stage::Running, queued, waiting, Stage::Running];
    assert_eq!(watch.0.stages, expected);
}

#[test]
fn a_lost_worker_is_replaced_and_not_for_ever() {
    for lost in [Code::Unavailable, Code::Internal, Code::Aborted] {
        let server = ready(&[("a", b"a")], &[Step::Ends(lost)]);
        let mut noted = Noted::default();
        run(&connect(&server).unwrap(), Cache::Use, &mut noted).unwrap();
        assert!(noted.stages.contains(&Stage::Again("worker lost".to_owned())), "{:?}", noted.stages);
    }
    let server =
        ready(&[], &[Step::Ends(Code::Unavailable), Step::Ends(Code::Unavailable), Step::Ends(Code::Unavailable)]);
    let error = run(&connect(&server).unwrap(), Cache::Use, &mut Noted::default()).unwrap_err();
    assert_eq!((error.kind(), server.with(|state| state.executed.len())), (Kind::Unreachable, 3));
}

#[test]
fn a_service_that_forgot_the_operation_begins_again() {
    let server = ready(&[("a", b"a")], &[Step::Break, Step::Refuses(Code::NotFound)]);
    run(&connect(&server).unwrap(), Cache::Use, &mut Noted::default()).unwrap();
    assert_eq!(server.with(|state| (state.executed.len(), state.waited)), (2, 1));
}

#[test]
fn what_no_further_attempt_mends_is_told_at_once() {
    for (code, kind, expected) in [
        (Code::InvalidArgument, Kind::NotFound, "refuses to run the build"),
        (Code::Unauthenticated, Kind::Failure, "demands credentials"),
        (Code::PermissionDenied, Kind::Failure, "forbids this"),
    ] {
        let server = ready(&[], &[Step::Refuses(code)]);
        let error = run(&connect(&server).unwrap(), Cache::Use, &mut Noted::default()).unwrap_err();
        assert_eq!((error.kind(), server.with(|state| state.executed.len())), (kind, 1));
        assert!(error.to_string().contains(expected), "{error}");
    }
    let server = ready(&[], &[Step::Ends(Code::DeadlineExceeded)]);
    let error = run(&connect(&server).unwrap(), Cache::Use, &mut Noted::default()).unwrap_err();
    assert!(error.to_string().contains("took longer"), "{error}");
}

#[test]
fn requests_that_fail_are_made_again() {
    let server = ready(&[("a", b"a")], &[]);
    for failures in [1, 2] {
        server.with(|state| state.failures = failures);
        connect(&server).unwrap();
    }
    server.with(|state| state.failures = 9);
    assert_eq!(connect(&server).err().unwrap().kind(), Kind::Unreachable);
}

#[test]
fn a_service_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("reapi://{}", listener.local_addr().unwrap());
    drop(listener);
    let settings = Settings { attempts: 2, ..Settings::new(address.parse().unwrap()) };
    let error = Service::connect(settings, &Caller::default()).err().unwrap();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().contains(&address), "{error}");
}

#[test]
fn output_is_streamed_and_completed() {
    let note = "(the output above is not what the service kept in the end, which follows)";
    let told = format!("other\n{note}\nsaid\n");
    for (streamed, expected) in [("sa", "said\n"), ("said\n", "said\n"), ("", "said\n"), ("other", &told)] {
        let server = ready(&[("a", b"a")], &[Step::Break]);
        server.with(|state| state.stream = Some(("logs/1".to_owned(), streamed.as_bytes().to_vec())));
        let mut noted = Noted::default();
        run(&connect(&server).unwrap(), Cache::Use, &mut noted).unwrap();
        // The result may be there before the stream is.
        let output = String::from_utf8(noted.output).unwrap();
        assert!(output == expected || output == "said\n", "{output}");
    }
}

#[test]
fn a_job_whose_output_cannot_be_kept_is_cancelled() {
    let server = ready(&[], &[Step::Hangs]);
    server.with(|state| state.stream = Some(("logs/1".to_owned(), b"much".to_vec())));
    let error =
        run(&connect(&server).unwrap(), Cache::Use, &mut Noted { most: Some(2), ..Noted::default() }).unwrap_err();
    assert!(error.to_string().contains("too much"), "{error:?}");
    assert!(server.with(|state| state.cancelled.contains(&"operations/1".to_owned())));
}

#[test]
fn cancelling_reaches_the_service() {
    struct Cancels;
    impl Watch for Cancels {
        fn stage(&mut self, _: &Stage) {}
        fn uploaded(&mut self, _: u64, _: u64) {}
        fn output(&mut self, _: &[u8]) -> io::Result<()> {
            // As the thread does that waits for signals.
            std::thread::spawn(cancel_all).join().unwrap();
            Err(io::Error::other("cancelled"))
        }
    }
    let server = ready(&[], &[Step::Hangs]);
    server.with(|state| state.stream = Some(("logs/1".to_owned(), b"said".to_vec())));
    assert!(run(&connect(&server).unwrap(), Cache::Use, &mut Cancels).is_err());
    assert!(server.with(|state| state.cancelled.contains(&"operations/1".to_owned())));
}

#[test]
fn a_service_that_is_stopped_ends_all_jobs() {
    struct Tells(mpsc::Sender<()>);
    impl Watch for Tells {
        fn stage(&mut self, _: &Stage) {}
        fn uploaded(&mut self, _: u64, _: u64) {}
        fn output(&mut self, _: &[u8]) -> io::Result<()> {
            self.0.send(()).map_err(io::Error::other)
        }
    }
    let server = ready(&[], &[Step::Hangs, Step::Hangs]);
    server.with(|state| state.stream = Some(("logs/1".to_owned(), b"said".to_vec())));
    let service = connect(&server).unwrap();
    let (send, said) = mpsc::channel();
    let error = std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&service, Cache::Use, &mut Tells(send)));
        said.recv().unwrap();
        service.stop();
        running.join().unwrap().unwrap_err()
    });
    assert!(error.to_string().contains("was stopped"), "{error:?}");
    assert!(server.with(|state| state.cancelled.contains(&"operations/1".to_owned())));
    // One that begins later ends, too.
    let error = run(&service, Cache::Use, &mut Noted::default()).unwrap_err();
    assert!(error.to_string().contains("was stopped"), "{error:?}");
}

#[test]
fn the_token_is_read_for_each_request() {
    let server = Server::start(State { token: Some("one".to_owned()), ..State::default() });
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("token");
    let settings = Settings { token: Some(file.clone()), attempts: 1, ..Settings::new(server.url().parse().unwrap()) };
    let connect = || Service::connect(settings.clone(), &Caller::default());
    let error = connect().err().unwrap().to_string();
    assert!(error.contains(file.to_str().unwrap()), "{error}");
    std::fs::write(&file, "one\n").unwrap();
    let service = connect().unwrap();
    server.with(|state| state.token = Some("two".to_owned()));
    std::fs::write(&file, "two").unwrap();
    assert!(service.upload(&inputs().1, &mut |_, _| ()).is_ok());
    std::fs::write(&file, "wrong").unwrap();
    let error = service.upload(&inputs().1, &mut |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("demands credentials") && !error.to_string().contains("wrong"), "{error}");
}
