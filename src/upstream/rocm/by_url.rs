//! A tarball that the user names by its URL, without any index.

use percent_encoding::percent_decode_str;
use url::Url;

use super::family::{ALL, is_tests, may_be};
use super::{Candidate, RocmRequest, TarballName};
use crate::error::{Error, Kind, Result};
use crate::urls::show_url;

impl Candidate {
    /// Returns the build at `url`. Fails if the request would not accept that build from an index.
    pub fn by_url(url: &Url, request: &RocmRequest) -> Result<Self> {
        let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        let name = percent_decode_str(last).decode_utf8_lossy().into_owned();
        let problem = |message: &str| Error::new(Kind::Usage, message).fact("url", show_url(url));
        let Some(parsed) = TarballName::parse(&name) else {
            return Err(problem("this URL does not end in the name of a ROCm tarball").hint(
                "such as .../therock-dist-linux-gfx1151-10.1.0a20260901.tar.gz; `strixlock list rocm` prints some",
            ));
        };
        if parsed.platform != request.platform || !parsed.is_of(request.wanted()) {
            let family = parsed.family.as_deref().unwrap_or(ALL);
            let error = problem("this tarball is for another GPU or platform than the manifest asks for")
                .fact("wanted", format!("{} {}", request.platform, request.wanted()))
                .fact("found", format!("{} {family}", parsed.platform));
            let other = parsed.platform != request.platform || is_tests(family);
            return Err(if other || (family != ALL && !may_be(family, request.target.as_str())) {
                error
            } else {
                error.hint(format!("if it covers this GPU, set `family = \"{family}\"` in the manifest"))
            });
        }
        if !request.accepts(&parsed.version) {
            return Err(problem("this tarball is not of the version that the manifest asks for")
                .fact("wanted", &request.version)
                .fact("found", &parsed.version)
                .hint("change `version` in the manifest, to \"latest\" or to this one"));
        }
        Ok(Self {
            name,
            date: parsed.version.date(),
            version: parsed.version,
            target: request.target.clone(),
            mtime: None,
            size: None,
            url: url.clone(),
            source: url.clone(),
            elsewhere: Vec::new(),
            sidecar: None,
        })
    }
}
