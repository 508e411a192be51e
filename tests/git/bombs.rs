//! Small repositories that would take much memory, disk or time: refused by what they say of themselves.

use git2::ObjectType;
use strixlock_demo::http::{Body, Incoming, Response};

use super::repository::{Made, wanted};
use crate::support::Project;

#[test]
fn objects_that_unpack_to_too_much_are_stopped_on_their_way() {
    let project = Project::empty();
    let made = Made::new(&project, "/o/bomb.git");
    let file = made.blob(b"content");
    let plain = made.tree(&[("100644", "a", file)]);
    made.commit_saying(plain, &"a".repeat(5 << 20));
    made.wanted(&project, "");
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("the git server sends a commit that is too large"), "{}", ran.all());
    let longest = project.upstream().server().log().iter().map(|request| request.bytes_sent).max().unwrap();
    assert!(longest < 100_000, "{longest}");

    let entry = [b"100644 a\0".as_slice(), file.as_bytes()].concat();
    made.commit(made.object(ObjectType::Tree, &entry.repeat((17 << 20) / entry.len())));
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("the git server sends a tree that is too large"), "{}", ran.all());
    assert_eq!(project.published("main"), Vec::<String>::new());
}

#[test]
fn trees_that_repeat_are_counted_before_anything_is_written() {
    let project = Project::empty();
    let made = Made::new(&project, "/o/repeat.git");
    let nested = |mut tree, levels| {
        for _ in 0..levels {
            let entries: Vec<_> =
                ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"].iter().map(|name| ("40000", *name, tree)).collect();
            tree = made.tree(&entries);
        }
        tree
    };
    let small = made.tree(&[("100644", "a", made.blob(b"content"))]);
    // 150,000 files of a mebibyte.
    let names: Vec<String> = (0..15).map(|number| format!("{number:02}")).collect();
    let large = made.blob(&vec![0; 1 << 20]);
    let large = made.tree(&names.iter().map(|name| ("100644", name.as_str(), large)).collect::<Vec<_>>());
    let mut chain = small;
    for _ in 0..70 {
        chain = made.tree(&[("40000", "d", chain)]);
    }
    for (tree, why) in [
        (nested(small, 12), "there are too many entries"),
        (nested(large, 4), "its contents are too large"),
        (chain, "it is nested more than 64 deep"),
    ] {
        made.commit(tree);
        made.wanted(&project, "");
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains(why), "{}", ran.all());
        assert_eq!(project.published("main"), Vec::<String>::new());
    }
}

#[test]
fn an_endless_list_of_refs_is_not_held() {
    let project = Project::empty();
    let server = project.upstream().server();
    server.handle("/o/refs.git/", |_: &Incoming| {
        let line = format!("003d{} refs/heads/a\n", "1".repeat(40));
        let body = Body::Stream(Box::new(move |to| {
            to.write_all(b"001e# service=git-upload-pack\n0000")?;
            // It goes on for ever, or until nobody listens.
            loop {
                to.write_all(line.repeat(1000).as_bytes())?;
            }
        }));
        let mut response = Response::text(200, "");
        response.body = body;
        response.headers = vec![("Content-Type".to_owned(), "application/x-git-upload-pack-advertisement".to_owned())];
        response
    });
    wanted(&project, &server.url("/o/refs.git"), "");
    let ran = project.run(&["update"]).code(3);
    assert!(ran.stderr.contains("lists too many branches and tags"), "{}", ran.all());
}
