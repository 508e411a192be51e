//! A Containerfile that installs the locked ROCm by streaming it.
//!
//! The first stage unpacks and hashes the tarball while it is downloaded. It runs nothing from the tarball, and a wrong
//! digest fails the stage, so no layer ever contains wrong bytes. It checks first that the base image has the tools,
//! and reports a failed transfer, wrong bytes and a tarball that cannot be unpacked as different errors. The second
//! stage copies the tree in parts (compilers, kernels of each library, the rest), which engines pull in parallel and
//! share if unchanged. The image contains neither the tarball nor the download tools. The base image needs a POSIX
//! shell and [`TOOLS`].

use std::fmt::Write as _;

use super::ImageRef;
use crate::digest::Sha256Digest;
use crate::error::{Error, Kind, Result};
use crate::inputs::LockedInput;
use crate::lock::Lock;
use crate::recipe::{OutputRole, Recipe};

/// The tarball to install.
struct Tarball<'l> {
    url: &'l url::Url,
    sha256: Sha256Digest,
    version: String,
    prefix: &'l str,
}

/// Programs that the first stage runs, from coreutils, curl, gzip and tar.
const TOOLS: &str = "basename cat curl cut dirname gzip mkdir mkfifo mv sha256sum tar tee tr";

/// Parts of the tree that get a layer of their own, if present.
const PARTS: [&str; 4] = ["lib/llvm", "lib/rocblas", "lib/hipblaslt", ".kpack"];

/// Returns the text of the Containerfile. With `llama`, it also installs the directory `llama` of the build context.
pub fn containerfile(lock: &Lock, base: &ImageRef, llama: bool) -> Result<String> {
    let rocm = tarball(lock)?;
    let over = overlay(lock, rocm.prefix);
    let (base, prefix, sha256) = (base.without_tag(), rocm.prefix, rocm.sha256.hex());
    let url = double_quoted(rocm.url.as_str());
    let version = double_quoted(&rocm.version);
    let parts = PARTS.join(" ");
    let mut path = format!("{prefix}/bin");
    let mut text = String::new();
    if let Some(name) = over {
        let _ = write!(
            text,
            "# Written by `strixlock export containerfile` from the lock: ROCm {version} with other files laid over it.\n\
             FROM {base}\n\
             # `strixlock realize {name} --to .` puts this directory beside this file.\n\
             COPY {name}/ {prefix}/\n"
        );
    } else {
        text = format!(
            r#"# Written by `strixlock export containerfile` from the lock: ROCm {version} and nothing that the lock does not name.
FROM {base} AS rocm
# Another place that has the same bytes will do: what counts is the digest.
ARG ROCM_URL="{url}"
RUN set -eu; \
    for tool in {TOOLS}; do \
      command -v "$tool" > /dev/null || {{ echo "the base image lacks $tool" >&2; exit 1; }}; \
    done; \
    mkdir -p "{prefix}" /parts; \
    mkfifo /tmp/copy; \
    sha256sum < /tmp/copy > /tmp/sum & \
    {{ curl --fail --silent --show-error --location --retry 5 "$ROCM_URL" || echo "$?" > /tmp/failed; }} | tee /tmp/copy \
      | {{ tar -xzf - -C "{prefix}" --no-same-owner || echo "$?" > /tmp/broken; cat > /dev/null; }}; \
    wait; \
    if [ -e /tmp/failed ]; then \
      echo "the download failed: curl ended with $(cat /tmp/failed) for $ROCM_URL" >&2; exit 1; \
    fi; \
    received=$(cut -c 1-64 /tmp/sum); \
    if [ "$received" != {sha256} ]; then \
      echo "the download is not the locked one: locked {sha256}, received $received" >&2; exit 1; \
    fi; \
    if [ -e /tmp/broken ]; then echo "the tarball is the locked one, and tar cannot unpack it here" >&2; exit 1; fi; \
    for part in {parts}; do \
      into=/parts/$(basename "$part" | tr -d .){prefix}; \
      mkdir -p "$into/$(dirname "$part")"; \
      if [ -d "{prefix}/$part" ] && [ ! -L "{prefix}/$part" ]; then mv "{prefix}/$part" "$into/$part"; fi; \
    done

FROM {base}
"#
        );
        for part in PARTS {
            let name = part.rsplit('/').next().unwrap_or(part).trim_start_matches('.');
            let _ = writeln!(text, "COPY --from=rocm /parts/{name}/ /");
        }
        let _ = writeln!(text, "COPY --from=rocm {prefix}/ {prefix}/");
    }
    if llama {
        let llama = llama_prefix(lock)?;
        let _ = writeln!(text, "# `strixlock realize llama --to .` puts this directory beside this file.");
        let _ = writeln!(text, "COPY llama/ {llama}/");
        path = format!("{llama}/bin:{path}");
    }
    let _ = write!(
        text,
        r#"ENV PATH="{path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    ROCM_PATH="{prefix}" HIP_PATH="{prefix}" HIP_PLATFORM="amd" \
    HIP_DEVICE_LIB_PATH="{prefix}/lib/llvm/amdgcn/bitcode"
LABEL org.opencontainers.image.version="{version}" org.opencontainers.image.source="{url}"
"#
    );
    Ok(text)
}

fn tarball(lock: &Lock) -> Result<Tarball<'_>> {
    let found = lock.outputs.values().find_map(|output| {
        let Recipe::Rocm(recipe) = &output.recipe else { return None };
        let LockedInput::Rocm(block) = lock.inputs.get(&recipe.input)? else { return None };
        let url = block.locked.urls.first()?;
        let version = block.locked.version.to_string();
        Some(Tarball { url, sha256: block.locked.sha256, version, prefix: plain(&recipe.prefix)? })
    });
    found.ok_or_else(|| {
        Error::new(Kind::NotFound, "the lock has no ROCm output that a Containerfile can install")
            .hint("its prefix must consist of a-z, A-Z, 0-9, and -_./")
    })
}

/// Returns the output that is laid over the published ROCm at this prefix: that of an engine, if one has it.
fn overlay<'l>(lock: &'l Lock, prefix: &str) -> Option<&'l str> {
    let is_base = |name: &str| lock.outputs.values().any(|output| output.recipe.base() == Some(name));
    let is_engines = |name: &str| lock.outputs.values().any(|output| output.recipe.rocm() == Some(name));
    let top = |name: &&String| {
        let laid = lock.recipe(name).is_some_and(|recipe| recipe.base().is_some());
        laid && !is_base(name) && lock.prefix_of(name) == Some(prefix)
    };
    let mut all: Vec<&String> = lock.outputs.keys().filter(top).collect();
    all.sort_by_key(|name| !is_engines(name));
    all.first().map(|name| name.as_str())
}

fn llama_prefix(lock: &Lock) -> Result<&str> {
    let engines = lock.outputs.values().filter(|output| output.recipe.is(OutputRole::Engine));
    let found = { engines }.find_map(|output| output.recipe.prefix().and_then(plain));
    found.ok_or_else(|| Error::new(Kind::NotFound, "the lock has no llama output that a Containerfile can install"))
}

/// Returns the path if it needs no quoting, neither in a Containerfile nor in a shell.
fn plain(path: &str) -> Option<&str> {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)).then_some(path)
}

/// Escapes text for double quotes in a Containerfile.
fn double_quoted(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if matches!(c, '\\' | '"' | '$') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
