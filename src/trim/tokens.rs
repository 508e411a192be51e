//! Dynamic string tokens: `$ORIGIN`, `$PLATFORM` and `$LIB`, which ld.so expands in search paths and names.

/// Greatest length of a result, which is that of the kernel's paths. A hostile text could grow to gigabytes.
const LONGEST: usize = 4096;

/// Values of the tokens.
pub(super) struct Tokens<'t> {
    /// The directory in which the file that has the text was found.
    pub origin: &'t [u8],
    /// The name of the processor.
    pub platform: &'t [u8],
    /// The name of the directory for libraries, which is built into ld.so.
    pub lib: &'t [u8],
}

impl Tokens<'_> {
    /// Expands the tokens in a text. Anything else stays unchanged, as with ld.so. `None` if the result is too long for
    /// a path.
    pub fn expand(&self, text: &[u8]) -> Option<Vec<u8>> {
        let tokens = [(b"ORIGIN".as_slice(), self.origin), (b"PLATFORM", self.platform), (b"LIB", self.lib)];
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            match tokens.iter().find_map(|(name, value)| Some((after(rest, name)?, *value))) {
                Some((after, value)) => {
                    out.extend_from_slice(value);
                    rest = after;
                }
                None => out.push(b'$'),
            }
            if out.len() > LONGEST {
                return None;
            }
        }
        out.extend_from_slice(rest);
        (out.len() <= LONGEST).then_some(out)
    }
}

/// Returns the text after the token, if the text begins with it.
fn after<'t>(text: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    if let Some(curly) = text.strip_prefix(b"{") {
        return curly.strip_prefix(name)?.strip_prefix(b"}");
    }
    let rest = text.strip_prefix(name)?;
    rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Option<String> {
        let tokens = Tokens { origin: b"/o", platform: b"haswell", lib: b"lib64" };
        tokens.expand(text.as_bytes()).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn tokens_are_put_in_and_all_else_stays() {
        for (text, expected) in [
            ("$ORIGIN/../lib", "/o/../lib"),
            ("${ORIGIN}x", "/ox"),
            ("$ORIGIN/../$LIB/${PLATFORM}", "/o/../lib64/haswell"),
            ("/x/$LIB", "/x/lib64"),
            ("lib$PLATFORM.so", "libhaswell.so"),
            ("/opt/rocm/lib", "/opt/rocm/lib"),
            ("", ""),
            ("$ORIGINAL", "$ORIGINAL"),
            ("${ORIGIN", "${ORIGIN"),
            ("/x/$LIBRARY/$lib/$", "/x/$LIBRARY/$lib/$"),
            ("$$LIB", "$lib64"),
        ] {
            assert_eq!(expanded(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_grows_beyond_all_paths_is_refused() {
        assert_eq!(expanded(&"$PLATFORM".repeat(10_000)), None);
        assert_eq!(expanded(&"x".repeat(4097)), None);
        assert_eq!(expanded(&"x".repeat(4096)).unwrap().len(), 4096);
    }
}
