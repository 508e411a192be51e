//! A project with a model input, and the hub that has it.

use strixlock_demo::gguf_maker::{Shape, model};
use strixlock_demo::hub::{Access, Hub};

use crate::support::{Project, REQUIRES};

/// The repository of the tests.
pub const REPO: &str = "demo/tiny-GGUF";
/// A small file of it.
pub const CONFIG: &[u8] = b"{\"model_type\": \"llama\"}\n";

/// A project whose input has these fields, with an output `model`.
pub fn project(fields: &str) -> (Project, Hub) {
    project_with(fields, Access::Open)
}

/// The same with a repository that is not for everybody.
pub fn project_with(fields: &str, access: Access) -> (Project, Hub) {
    let project = Project::empty();
    let hub = Hub::start(project.upstream().server(), "/hub").unwrap();
    hub.commit(REPO, access, &[("tiny-F32.gguf", model(Shape::default())), ("config.json", CONFIG.to_vec())]);
    write_manifest(&project, hub.endpoint(), fields);
    (project, hub)
}

/// A manifest with a model alone.
pub fn write_manifest(project: &Project, endpoint: &str, fields: &str) {
    project.write(
        "manifests/strix.toml",
        &format!(
            "{REQUIRES}[inputs.model]\ntype = \"huggingface\"\n{fields}\nendpoints = [\"{endpoint}\"]\n\n[outputs.model]\ntype = \"model\"\n"
        ),
    );
}
