//! Each public type has an example of its own, which the documentation shows and a doctest runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A source file, line by line, with its name.
struct Source {
    name: String,
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut sources): (Vec<PathBuf>, Vec<Source>) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines =
                    std::fs::read_to_string(&path).unwrap().lines().map(|line| line.trim().to_owned()).collect();
                sources.push(Source { name: path.display().to_string(), lines });
            }
        }
    }
    sources
}

/// What a line makes public: a type by its name, or `$` and a name in a macro.
fn type_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let name = ["struct ", "enum ", "trait ", "union "].into_iter().find_map(|kind| rest.strip_prefix(kind))?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').next()
}

/// Whether the comment above a line has an example. What stands between the two is attributes.
fn has_example(lines: &[String], at: usize) -> bool {
    let above = lines[..at].iter().rev();
    let comment = above.skip_while(|line| !line.starts_with("///") && !line.is_empty() && !line.starts_with('}'));
    comment
        .take_while(|line| line.starts_with("///") || line.starts_with('#') || line.starts_with("$(#"))
        .any(|line| line.starts_with("/// ```"))
}

/// The types that a call of a macro makes, each with whether it has an example: what stands behind a comment, and in no brackets but those of the
/// call.
fn made_by_call(lines: &[String]) -> Vec<(&str, bool)> {
    let (mut made, mut depth, mut comment, mut example) = (Vec::new(), 0_i32, false, false);
    for line in lines {
        if line.starts_with("///") {
            (comment, example) = (true, (comment && example) || line.starts_with("/// ```"));
            continue;
        }
        let name = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        if depth == 1 && comment && name.starts_with(|c: char| c.is_ascii_uppercase()) {
            made.push((name, example));
        }
        comment = false;
        let count = |kind: [char; 3]| i32::try_from(line.matches(kind).count()).unwrap();
        depth += count(['(', '[', '{']) - count([')', ']', '}']);
        if depth <= 0 {
            break;
        }
    }
    made
}

/// The types that a file exports by `pub use`.
fn exported(lines: &[String]) -> Vec<&str> {
    let (mut names, mut is_open) = (Vec::new(), false);
    for line in lines {
        is_open |= line.starts_with("pub use ");
        if is_open {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let is_type = |word: &&str| {
                word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains(|c: char| c.is_ascii_lowercase())
            };
            names.extend(words.filter(is_type));
            is_open = !line.ends_with(';');
        }
    }
    names
}

#[test]
fn each_public_type_has_an_example() {
    let sources = sources();
    let (mut found, mut missing, mut makers) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for Source { name: file, lines } in &sources {
        let mut open_macro = "";
        for (at, line) in lines.iter().enumerate() {
            if let Some(name) = line.strip_prefix("macro_rules! ") {
                open_macro = name.trim_end_matches([' ', '{']);
            }
            let Some(name) = type_of(line) else { continue };
            let has_example = has_example(lines, at);
            if name.starts_with('$') {
                makers.insert((open_macro, has_example));
                continue;
            }
            found.insert(name);
            if !has_example {
                missing.push(format!("{file}: {name}"));
            }
        }
    }
    for (maker, writes_example) in makers {
        for Source { name: file, lines } in &sources {
            let is_call = |line: &str| line.strip_prefix(maker).is_some_and(|rest| rest.starts_with('!'));
            for at in (0..lines.len()).filter(|at| is_call(&lines[*at])) {
                for (made, has_example) in made_by_call(&lines[at..]) {
                    found.insert(made);
                    if !has_example && !writes_example {
                        missing.push(format!("{file}: {made}"));
                    }
                }
            }
        }
    }
    // So that no way to make a type is passed over.
    for Source { name: file, lines } in &sources {
        for name in exported(lines) {
            assert!(found.contains(name), "{file} exports {name}, which is made in a way that this test does not know");
        }
    }
    assert!(missing.is_empty(), "without an example:\n{}", missing.join("\n"));
}
