//! Models that the pinned llama.cpp does not know.

use strixlock_demo::gguf_maker::{Shape, model};
use strixlock_demo::http::Resource;
use strixlock_demo::llama::{Mode, SourceFile, add_files};

use crate::support::{Project, REQUIRES};

/// Lines as they stand in llama.cpp.
const ARCHITECTURES: &str = r#"
static const std::map<llm_arch, const char *> LLM_ARCH_NAMES = {
    { LLM_ARCH_LLAMA,            "llama"            },
    { LLM_ARCH_UNKNOWN,          "(unknown)"        },
};
"#;
const TYPES: &str = "
enum ggml_type {
    GGML_TYPE_F32     = 0,
    GGML_TYPE_F16     = 1,
    // GGML_TYPE_Q4_2 = 4, support has been removed
    GGML_TYPE_COUNT   = 41,
};
";

/// The model with another architecture, and with another type of its first tensor.
fn odd(architecture: [u8; 5], kind: u32) -> Vec<u8> {
    let mut bytes = model(Shape::default());
    let at = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).position(|window| window == text).unwrap();
    let name = at(&bytes, b"general.architecture") + 20 + 4 + 8;
    bytes[name..name + 5].copy_from_slice(&architecture);
    let tensor = at(&bytes, b"token_embd.weight") + 17 + 4 + 2 * 8;
    bytes[tensor..tensor + 4].copy_from_slice(&kind.to_le_bytes());
    bytes
}

/// A project with such a model and a llama.cpp.
fn project(model: Vec<u8>) -> Project {
    let project = Project::new();
    project.upstream().server().put("/odd.gguf", Resource::bytes(model));
    let git = project.upstream().git_url();
    let input = format!(
        "[inputs.llama-cpp]\ntype = \"git\"\nurl = \"{git}\"\n\n[outputs.llama]\ntype = \"llama\"\nbackend = \"cpu\"\n"
    );
    let file = format!("[inputs.odd]\ntype = \"file\"\nurl = \"{}odd.gguf\"\n", project.base());
    project.write("manifests/strix.toml", &format!("{REQUIRES}{input}\n{file}"));
    project
}

fn knows(project: &Project) {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), mode: Mode::Plain, bytes: text.into() };
    let files = [file("src/llama-arch.cpp", ARCHITECTURES), file("ggml/include/ggml.h", TYPES)];
    add_files(&project.upstream().llama_repository(), &files).unwrap();
}

#[test]
fn what_a_model_has_and_llama_cpp_does_not_know_is_told() {
    let project = project(odd(*b"mamba", 250));
    // Sources that say nothing of models are not judged.
    assert!(!project.run(&["update"]).code(0).stderr.contains("does not know"));
    knows(&project);
    let told = "warning: odd: the llama.cpp of `llama-cpp` does not know the architecture `mamba`, the tensor type 250, and will not load";
    let ran = project.run(&["update"]).code(0);
    assert!(ran.stderr.contains(told) && ran.stderr.contains("`strixlock update llama-cpp`"), "{}", ran.all());
    let json = project.run(&["update", "--json"]).code(0).json();
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1, "{json}");
    // Told again, and the lock is as it was: nothing of it stands there.
    let lock = project.lock();
    assert!(!lock.contains("\"types\""), "{lock}");
}

#[test]
fn a_model_that_is_known_is_not_told() {
    let project = project(odd(*b"llama", 1));
    knows(&project);
    let ran = project.run(&["update"]).code(0);
    assert!(!ran.stderr.contains("does not know"), "{}", ran.all());
}
