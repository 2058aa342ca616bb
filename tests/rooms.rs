//! The order of the rooms, and what each of them may know.
//!
//! The order is the one in which `lib.rs` lists the modules, those of `hookswitch-core` before those of the host. Modules
//! between two blank lines stand side by side and do not know each other; a use points to a module above, or to its own.
//! What a crate may depend on holds Cargo; a test holds what its manifest may name.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the text of a room's code may not contain, unless the room is one of these.
const ONLY_IN: [(&str, &[&str]); 9] = [
    ("env::var", &["config", "postgres/search.rs"]),
    // Telemetry knows it as a source of log lines.
    ("tokio_postgres", &["store", "postgres", "config", "app", "telemetry"]),
    ("deadpool_postgres", &["store"]),
    ("refinery", &["store"]),
    ("SELECT ", &["store", "postgres"]),
    ("INSERT INTO ", &["store"]),
    ("UPDATE ", &["store"]),
    ("DELETE FROM ", &["store"]),
    ("\"messaging_product\"", &["whatsapp"]),
];

/// What the pure rooms may not know: the network, the database, files, the runtime, the time.
const PURE: [&str; 6] = ["domain", "words", "decide", "plan", "compare", "recorded"];
const IMPURE: [&str; 8] = [
    "axum::",
    "reqwest::",
    "tokio::",
    "tokio_postgres",
    "std::fs",
    "std::net",
    "Timestamp::now",
    "SystemTime",
];

/// But for plugins: a guest's call is a future with a time limit, its compiled form is kept on disk, and an address is
/// judged before anybody connects to it. None of that changes what is decided.
const FOR_PLUGINS: [&str; 3] = ["tokio::", "std::fs", "std::net"];

/// These know nothing of the rooms but the values.
const ALONE: [&str; 1] = ["postgres"];

/// What the manifest of a crate may not name.
const INDEPENDENT: [(&str, &[&str]); 2] = [
    (
        "core",
        &[
            "axum",
            "hyper",
            "reqwest",
            "tokio-postgres",
            "postgres",
            "deadpool",
            "deadpool-postgres",
            "hookswitch",
            "hookswitch-simulator",
        ],
    ),
    ("simulator", &["hookswitch", "hookswitch-core", "tokio-postgres", "wasmtime"]),
];

/// The folders of the rooms: of the core, of the host.
fn crates() -> [PathBuf; 2] {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    [host.join("core/src"), host.join("src")]
}

/// The modules of `lib.rs`, by rank.
fn rooms(lib: &str) -> Vec<Vec<String>> {
    let groups = lib.split("\n\n").map(|group| {
        let names = group.lines().filter_map(|line| {
            let name = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("pub(crate) mod "))?;
            name.strip_suffix(';')
        });
        names.map(str::to_owned).collect::<Vec<_>>()
    });
    groups.filter(|group| !group.is_empty()).collect()
}

/// Every file with code below a folder, with its path within `src`.
fn sources(src: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name == "tests" || name.ends_with("_tests") {
            continue;
        }
        if path.is_dir() {
            sources(src, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let within = path.strip_prefix(src).unwrap().to_string_lossy().into_owned();
            files.push((within, code(&fs::read_to_string(&path).unwrap())));
        }
    }
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let tests = line == "#[cfg(test)]"
            && lines.clone().find(|line| !line.starts_with("#[")).is_some_and(|line| line.ends_with('{'));
        if tests {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code.push_str(line.split(" // ").next().unwrap_or_default());
        }
        code.push('\n');
    }
    code
}

/// The rooms that a text names, each with its line.
fn uses(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let paths = ["crate::", "hookswitch_core::"].map(|from| code.match_indices(from));
    for (at, from) in paths.into_iter().flatten() {
        // `$crate` and names that only end like this.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = code[..at].lines().count().max(1);
        let rest = &code[at + from.len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => heads(list),
            None => vec![rest],
        };
        let ident = |text: &str| {
            text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned)
        };
        found.extend(
            names.into_iter().filter_map(ident).filter(|name| !name.is_empty()).map(|name| (line, name)),
        );
    }
    found
}

/// The parts between the outer commas of a list, up to its closing brace.
fn heads(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

/// The room that a file belongs to.
fn room(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// What is wrong with one file.
fn faults(path: &str, code: &str, rooms: &[Vec<String>]) -> Vec<String> {
    let own = room(path);
    let rank = |name: &str| rooms.iter().position(|group| group.iter().any(|room| room == name));
    let mut faults = Vec::new();
    if let Some(here) = rank(own) {
        for (line, used) in uses(code) {
            let allowed = used == own
                || used == "domain"
                || rank(&used).is_none_or(|there| there < here && !ALONE.contains(&own));
            if !allowed {
                faults.push(format!("{path}:{line}: {own} may not use {used}"));
            }
        }
    }
    let mut forbid = |text: &str| {
        for (at, _) in code.match_indices(text) {
            let line = code[..at].matches('\n').count() + 1;
            faults.push(format!("{path}:{line}: `{text}` has no place here"));
        }
    };
    for (text, places) in ONLY_IN {
        if !places.iter().any(|place| *place == own || *place == path) {
            forbid(text);
        }
    }
    if PURE.contains(&own) {
        IMPURE
            .iter()
            .filter(|text| !(path.starts_with("decide/plugin/") && FOR_PLUGINS.contains(text)))
            .for_each(|text| forbid(text));
    }
    faults
}

#[test]
fn every_use_points_to_a_room_above() {
    let of = |src: &PathBuf| rooms(&fs::read_to_string(src.join("lib.rs")).unwrap());
    let rooms: Vec<_> = crates().iter().flat_map(of).collect();
    assert_eq!(rooms[0], ["domain"], "the values come first");
    let mut files = Vec::new();
    crates().iter().for_each(|src| sources(src, src, &mut files));
    assert!(files.len() > 200, "{files:?}");
    let faults: Vec<String> = files.iter().flat_map(|(path, code)| faults(path, code, &rooms)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn crates_that_stand_alone_depend_on_nothing_that_reaches_further() {
    for (name, unwanted) in INDEPENDENT {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).unwrap();
        let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
        let dependencies = after.split("\n[").next().unwrap();
        let names: Vec<&str> =
            dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).collect();
        assert!(names.contains(&"serde"), "{name}: {names:?}");
        let found: Vec<_> = unwanted.iter().filter(|unwanted| names.contains(unwanted)).collect();
        assert!(found.is_empty(), "hookswitch-{name} may not depend on {found:?}");
    }
}

#[test]
fn a_wrong_use_is_found_with_its_line() {
    let rooms = rooms(
        "//! Docs.\n\npub mod domain;\n\npub mod plan;\n\npub mod intake;\npub mod routing;\n\npub mod postgres;\n",
    );
    let found = |path: &str, text: &str| faults(path, &code(text), &rooms);
    assert_eq!(found("plan/mod.rs", "use crate::{\n    domain::{Event, Lane},\n    plan::x,\n};\n"), [""; 0]);
    assert_eq!(
        found("plan/mod.rs", "\nuse crate::{domain::{A, B}, routing::C};"),
        ["plan/mod.rs:2: plan may not use routing"]
    );
    assert_eq!(
        found("plan/mod.rs", "use hookswitch_core::routing::C;"),
        ["plan/mod.rs:1: plan may not use routing"]
    );
    assert_eq!(
        found("routing.rs", "fn f() { crate::intake::g() }"),
        ["routing.rs:1: routing may not use intake"]
    );
    assert_eq!(
        found("postgres/mod.rs", "use crate::plan::x;"),
        ["postgres/mod.rs:1: postgres may not use plan"]
    );
    assert_eq!(found("intake/mod.rs", "const Q: &str = \"SELECT 1\";").len(), 1);
    assert_eq!(found("plan/mod.rs", "let now = Timestamp::now();").len(), 1);
    assert_eq!(
        found(
            "plan/mod.rs",
            "// SELECT 1, crate::routing\n#[cfg(test)]\nmod tests {\nuse crate::routing::C;\n}"
        ),
        [""; 0]
    );
    assert_eq!(found("plan/mod.rs", "#[cfg(test)]\nmod tests;\nuse crate::routing::C;").len(), 1);
}
