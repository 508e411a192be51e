//! Makes ELF files from small C sources with the machine's `cc`.
//!
//! Equal sources give equal bytes: a source is compiled in a directory of its own under fixed relative names, without
//! build id and debug information. Each source is compiled only once per process.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use crate::digest::Sha256Digest;
use crate::error::{Error, Result};
use crate::threads::lock;

/// The description of a shared library or, without a soname, a program.
#[derive(Clone, Debug, Default)]
pub struct Elf {
    /// DT_SONAME.
    pub soname: Option<String>,
    /// DT_RUNPATH.
    pub runpath: Option<String>,
    /// The C source. It can include `beside.h`.
    pub source: String,
    /// DT_NEEDED besides libc: sonames, and the libraries to link with.
    pub needed: Vec<(String, Arc<[u8]>)>,
}

impl Elf {
    /// Compiles and links it. Returns the bytes of the file.
    pub fn make(&self) -> Result<Arc<[u8]>> {
        static MADE: OnceLock<Mutex<HashMap<Sha256Digest, Arc<[u8]>>>> = OnceLock::new();
        let made = MADE.get_or_init(Mutex::default);
        let key = self.key();
        if let Some(bytes) = lock(made).get(&key) {
            return Ok(Arc::clone(bytes));
        }
        let bytes: Arc<[u8]> = self.compile()?.into();
        lock(made).insert(key, Arc::clone(&bytes));
        Ok(bytes)
    }

    fn key(&self) -> Sha256Digest {
        // Only the sonames of the needed libraries show in the result, so they stand for them in the cache key.
        let needed: Vec<_> = self.needed.iter().map(|(soname, _)| soname).collect();
        Sha256Digest::of(format!("{:?}", (&self.soname, &self.runpath, &self.source, needed)).as_bytes())
    }

    fn compile(&self) -> Result<Vec<u8>> {
        let directory = tempfile::Builder::new().prefix("strixlock-demo-cc").tempdir()?;
        let path = directory.path();
        fs_err::write(path.join("in.c"), &self.source)?;
        fs_err::write(path.join("beside.h"), include_str!("templates/rocm/beside.h"))?;
        let mut cc = Command::new("cc");
        cc.current_dir(path).stdin(Stdio::null()).env("LC_ALL", "C");
        cc.args(["-O1", "-g0", "-fPIC", "-fno-ident", "in.c", "-o", "out"]);
        cc.args(["-Wl,--build-id=none", "-Wl,--enable-new-dtags", "-Wl,--allow-shlib-undefined", "-Wl,--no-as-needed"]);
        if let Some(soname) = &self.soname {
            cc.args(["-shared", &format!("-Wl,-soname,{soname}")]);
        }
        if let Some(runpath) = &self.runpath {
            cc.arg(format!("-Wl,-rpath,{runpath}"));
        }
        for (soname, bytes) in &self.needed {
            fs_err::write(path.join(soname), bytes)?;
            cc.arg(format!("./{soname}"));
        }
        // dlopen is in libc itself since glibc 2.34; before that, it needs -ldl.
        cc.args(["-Wl,--as-needed", "-ldl"]);
        let what = self.soname.as_deref().unwrap_or("a program");
        let output = cc.output().map_err(|error| {
            Error::failure("the demo upstream needs a C compiler").because(&error).hint("install `cc`, such as gcc")
        })?;
        if !output.status.success() {
            return Err(Error::failure(format!("cc could not make {what} of the demo upstream"))
                .excerpt(String::from_utf8_lossy(&output.stderr)));
        }
        Ok(fs_err::read(path.join("out"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_source_gives_the_same_bytes() {
        let elf = Elf {
            soname: Some("libx.so.1".to_owned()),
            runpath: Some("$ORIGIN".to_owned()),
            source: "int x(void) { return 1; }\n".to_owned(),
            needed: Vec::new(),
        };
        let bytes = elf.compile().unwrap();
        assert!(bytes.starts_with(b"\x7fELF"));
        assert!(bytes == elf.compile().unwrap());
        let error = Elf { source: "int x(".to_owned(), ..elf }.make().unwrap_err();
        assert!(error.message().contains("libx.so.1"), "{error}");
    }
}
