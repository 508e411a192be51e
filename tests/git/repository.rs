//! Repositories of our own making, object by object, also such as git would not make.

use git2::{ObjectType, Oid, Repository};
use strixlock_demo::git_http::GitHttp;

use crate::support::{Project, REQUIRES};

/// A bare repository below the upstream's server.
pub struct Made {
    pub path: std::path::PathBuf,
    pub url: String,
    repository: Repository,
}

impl Made {
    /// An empty one, at this path of the server, such as `/o/r.git`.
    pub fn new(project: &Project, place: &str) -> Self {
        let path = project.directory.path().join("repositories").join(place.trim_start_matches('/'));
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).initial_head("master").external_template(false);
        let repository = Repository::init_opts(&path, &options).unwrap();
        let server = project.upstream().server();
        server.handle(&format!("{place}/"), GitHttp::new(place, &path));
        Self { url: server.url(place), path, repository }
    }

    pub fn object(&self, kind: ObjectType, bytes: &[u8]) -> Oid {
        self.repository.odb().unwrap().write(kind, bytes).unwrap()
    }

    pub fn blob(&self, bytes: &[u8]) -> Oid {
        self.object(ObjectType::Blob, bytes)
    }

    /// A tree of these entries, as they stand.
    pub fn tree(&self, entries: &[(&str, &str, Oid)]) -> Oid {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend(format!("{mode} {name}\0").into_bytes());
            bytes.extend(id.as_bytes());
        }
        self.object(ObjectType::Tree, &bytes)
    }

    /// A commit of a tree on `master`.
    pub fn commit(&self, tree: Oid) -> Oid {
        self.commit_saying(tree, "a commit\n")
    }

    pub fn commit_saying(&self, tree: Oid, message: &str) -> Oid {
        let who = "A <a@demo.invalid> 1780000000 +0000";
        let text = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\n{message}");
        let id = self.object(ObjectType::Commit, text.as_bytes());
        self.point("refs/heads/master", id);
        id
    }

    pub fn point(&self, name: &str, id: Oid) {
        self.repository.reference(name, id, true, "test").unwrap();
    }

    /// Makes it what the project's only input asks for.
    pub fn wanted(&self, project: &Project, fields: &str) {
        wanted(project, &self.url, fields);
    }
}

pub fn wanted(project: &Project, url: &str, fields: &str) {
    let manifest = format!("{REQUIRES}[inputs.source]\ntype = \"git\"\nurl = \"{url}\"\n{fields}\n");
    project.write("manifests/strix.toml", &manifest);
}
