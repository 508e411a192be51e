//! Lists of the files that a compiler reads, as it writes them for `make` (`-MD`).

/// Reads such a list: one rule, in which a backslash before a line's end or a space takes its meaning away, and `$$`
/// means `$`. Returns `None` if it is not one.
pub(super) fn read(list: &str) -> Option<Vec<String>> {
    let (_, list) = list.split_once(": ").or_else(|| list.split_once(":\\\n"))?;
    let (mut all, mut name) = (Vec::new(), String::new());
    let mut rest = list.chars().peekable();
    while let Some(one) = rest.next() {
        match (one, rest.peek()) {
            ('\\', Some('\n')) => {
                rest.next();
                take(&mut name, &mut all);
            }
            ('\\', Some(' ' | '#')) | ('$', Some('$')) => name.extend(rest.next()),
            // A rule that follows, as `-MP` writes them.
            ('\n', Some(_)) => return None,
            (' ' | '\n', _) => take(&mut name, &mut all),
            _ => name.push(one),
        }
    }
    take(&mut name, &mut all);
    (!all.is_empty()).then_some(all)
}

fn take(name: &mut String, all: &mut Vec<String>) {
    if !name.is_empty() {
        all.push(std::mem::take(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_compilers_are_read() {
        let list = "x.o: /build/source/x.cpp /usr/include/a.h \\\n /build/source/with\\ space.h\\\n b$$c.h\n";
        let read = read(list).unwrap();
        assert_eq!(read, ["/build/source/x.cpp", "/usr/include/a.h", "/build/source/with space.h", "b$c.h"]);
    }

    #[test]
    fn the_compiler_of_this_machine_writes_such_a_list() {
        let place = tempfile::tempdir().unwrap();
        for name in ["a b.h", "c$d#.h"] {
            std::fs::write(place.path().join(name), "").unwrap();
        }
        std::fs::write(place.path().join("x.c"), "#include \"a b.h\"\n#include \"c$d#.h\"\n").unwrap();
        let words = ["-E", "-MD", "-MF", "x.d", "-o", "/dev/null", "x.c"];
        let ran = std::process::Command::new("cc").args(words).current_dir(place.path()).status().unwrap();
        assert!(ran.success());
        let list = std::fs::read_to_string(place.path().join("x.d")).unwrap();
        let found = read(&list).unwrap();
        for name in ["x.c", "a b.h", "c$d#.h"] {
            assert!(found.iter().any(|one| one == name), "{name}: {list}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for list in ["", "x.o", "x.o:", "x.o: \n", "x.o: a.h\n\na.h:\n"] {
            assert_eq!(read(list), None, "{list:?}");
        }
    }
}
