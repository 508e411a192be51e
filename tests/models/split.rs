//! Models in several files: pinned whole, or told why not.

use strixlock_demo::gguf_maker::{GgufWriter, Shape, model, model_parts, part_name};
use strixlock_demo::hub::{Access, Hub};

use super::hub::{REPO, project};
use crate::support::{Project, REQUIRES};

/// The parts of a model with eight tensors each: three of them.
fn parts() -> Vec<Vec<u8>> {
    model_parts(Shape::default(), 8)
}

fn commit(hub: &Hub, files: &[(&str, &Vec<u8>)]) {
    let files: Vec<_> = files.iter().map(|(path, bytes)| (*path, (*bytes).clone())).collect();
    hub.commit(REPO, Access::Open, &files);
}

fn names(of: usize) -> Vec<String> {
    (1..=of).map(|number| part_name("Q8_0/tiny-Q8_0", number, of)).collect()
}

#[test]
fn the_parts_of_a_split_model_are_one_model() {
    let (project, hub) = project("model = \"demo/tiny-GGUF:Q8_0\"");
    let (parts, names) = (parts(), names(3));
    commit(&hub, &[(&names[0], &parts[0]), (&names[1], &parts[1]), (&names[2], &parts[2])]);
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stdout.contains("model    llama, F32, context 512, 21 tensors, "), "{}", ran.all());
    project.run(&["realize", "--to", "out"]).code(0);
    for (name, part) in names.iter().zip(&parts) {
        assert!(std::fs::read(project.path(&format!("out/model/{name}"))).unwrap() == *part);
    }
    // Any part stands for all of them.
    let manifest = project.read("manifests/strix.toml");
    let by_file = format!("repo = \"{REPO}\"\nfile = \"{}\"", names[1]);
    project.write("manifests/strix.toml", &manifest.replace("model = \"demo/tiny-GGUF:Q8_0\"", &by_file));
    let ran = project.run(&["update"]).code(0);
    assert!(project.lock().contains(&names[2]), "{}", ran.all());
}

#[test]
fn parts_that_contradict_each_other_are_refused() {
    let (project, hub) = project("model = \"demo/tiny-GGUF:Q8_0\"");
    let (three, two) = (parts(), model_parts(Shape::default(), 11));
    let (names3, names2) = (names(3), names(2));
    let own = "tiny-Q8_0.gguf".to_owned();
    let whole = model(Shape::default());
    for (files, why) in [
        (vec![(&own, &three[0])], "`tiny-Q8_0.gguf` is part 1 of 3 by its header, and no other part is beside it"),
        (vec![(&own, &three[2])], "`tiny-Q8_0.gguf` is part 3 of 3 by its header"),
        (
            vec![(&names2[0], &three[0]), (&names2[1], &three[1])],
            "is one of 3 parts by its header, but one of 2 by its name",
        ),
        (vec![(&names2[0], &two[1]), (&names2[1], &two[0])], "is part 2 by its header, but part 1 by its name"),
        (vec![(&names2[0], &two[0]), (&names2[1], &whole)], "its header does not name a part"),
        (vec![(&names2[0], &whole), (&names2[1], &whole)], "its header does not name a part"),
        (
            vec![(&names3[0], &three[0]), (&names3[1], &three[2]), (&names3[2], &three[2])],
            "is part 3 by its header, but part 2 by its name",
        ),
        (
            vec![(&names2[0], &two[0]), (&names2[1], &model_parts(Shape { layers: 3, ..Shape::default() }, 15)[1])],
            "tensors in total, but",
        ),
    ] {
        let files: Vec<_> = files.into_iter().map(|(name, bytes)| (name.as_str(), bytes)).collect();
        commit(&hub, &files);
        let ran = project.run(&["update"]).code(3);
        assert!(ran.stderr.contains("the files of the model contradict each other"), "{}", ran.all());
        assert!(ran.stderr.contains(why), "{why}: {}", ran.all());
        assert!(!project.path("lock/strix.lock").exists());
    }
    commit(&hub, &[(&names2[0], &two[0])]);
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("the repository lacks part 2 of 2 of `Q8_0/tiny-Q8_0`"), "{}", ran.all());
}

#[test]
fn pieces_and_parts_alone_are_told() {
    let (project, hub) = project("repo = \"demo/tiny-GGUF\"\nfile = \"tiny-Q8_0.gguf.part1of2\"");
    let whole = model(Shape::default());
    let (one, two) = whole.split_at(whole.len() / 2);
    hub.commit(
        REPO,
        Access::Open,
        &[("tiny-Q8_0.gguf.part1of2", one.to_vec()), ("tiny-Q8_0.gguf.part2of2", two.to_vec())],
    );
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stderr.contains("this is one of 2 pieces of `tiny-Q8_0.gguf`, which must be joined"), "{}", ran.all());
    super::hub::write_manifest(&project, hub.endpoint(), "model = \"demo/tiny-GGUF:Q8_0\"");
    let ran = project.run(&["update"]).code(9);
    assert!(ran.stderr.contains("quantisation Q8_0 only in pieces that must be joined"), "{}", ran.all());
}

#[test]
fn files_by_url_that_are_less_than_a_model_are_told_with_their_url() {
    let project = Project::empty();
    let server = project.upstream().server();
    let imatrix = {
        let mut writer = GgufWriter::default();
        writer.string("general.type", "imatrix");
        writer.strings("imatrix.datasets", &["a".to_owned()]);
        writer.tensor("blk.0.ffn_down.weight.in_sum2", &[8], vec![0.0; 8]);
        writer.bytes()
    };
    let mut big_endian = model(Shape::default());
    big_endian[4..8].reverse();
    let no_architecture = "the GGUF header does not describe a model: missing `general.architecture`";
    for (name, bytes, told) in [
        ("imatrix.gguf", imatrix, no_architecture),
        ("m-00002-of-00003.gguf", parts()[1].clone(), "is part 2 of 3 of a split model"),
        ("second.gguf", parts()[1].clone(), "is part 2 of 3 of a split model"),
        ("first.gguf", parts()[0].clone(), "is part 1 of 3 of a split model"),
        ("none.gguf", GgufWriter::default().bytes(), no_architecture),
        ("big.gguf", big_endian, "the GGUF header is damaged: it is for a big-endian machine"),
        ("text.txt", b"GGUF is a format of files.\n".to_vec(), "the GGUF header is damaged: unsupported version "),
        ("short.gguf", b"GGUF".to_vec(), "the GGUF header is damaged"),
        ("m.gguf.part2of3", model(Shape::default()), "this is one of 3 pieces of `m.gguf`"),
        ("m.gguf-split-a", b"anything".to_vec(), "this is one of several pieces of `m.gguf`"),
    ] {
        server.put(&format!("/{name}"), strixlock_demo::http::Resource::bytes(bytes));
        let url = server.url(&format!("/{name}"));
        project.write(
            "manifests/strix.toml",
            &format!(
                "{REQUIRES}[inputs.model]\ntype = \"file\"\nurl = \"{url}\"\n\n[outputs.model]\ntype = \"model\"\n"
            ),
        );
        let ran = project.run(&["update"]).code(0);
        assert!(ran.stderr.contains(told), "{name}: {}", ran.all());
        assert!(ran.stderr.contains(&format!("[UPSTREAM]/{name}")), "{}", ran.all());
        assert!(!ran.all().contains("stores/"), "{}", ran.all());
        project.run(&["realize"]).code(0);
        let again = project.run(&["update"]).code(0);
        assert!(again.stdout.contains("is up to date"), "{}", again.all());
    }
    // A whole model, and what is no such file at all, need no word.
    for (name, bytes) in [("whole.gguf", model(Shape::default())), ("GG", b"GG".to_vec())] {
        server.put(&format!("/{name}"), strixlock_demo::http::Resource::bytes(bytes));
        let url = server.url(&format!("/{name}"));
        project.write("manifests/strix.toml", &format!("{REQUIRES}[inputs.f]\ntype = \"file\"\nurl = \"{url}\"\n"));
        let ran = project.run(&["update"]).code(0);
        assert!(!ran.stderr.contains("warning"), "{}", ran.all());
    }
}
