//! A seed → an input.

use std::{fmt::Write, fs, path::Path};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use crate::pieces::{LINKS, RESULTS, STATEMENTS, TAGS, YAML};

/// Files, by their paths within `rules` and `plugins`.
pub struct Input {
    pub files: Vec<(String, Vec<u8>)>,
}

const FRONT: &str = "---\ndescription: A test\ncategory: utility\nlanguage: en_US\nmode: text\n---\n";
const ROUTE: &str = "- on: a\n  template: t\n  groups: [Ops]\n  context:\n    text: event.data.text\n    n: event.data.n\n    \
                     list: event.data.list\n";
const KINDS: [&str; 6] = [
    "rules/groups.yaml",
    "rules/schedules.yaml",
    "rules/a/routes.yaml",
    "rules/a/config.yaml",
    "rules/a/cases/c.yaml",
    "rules/a/templates/t.j2",
];

/// The input of a seed.
pub fn input(target: &str, seed: u64) -> Input {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut files: Vec<(String, Vec<u8>)> = vec![("rules/groups.yaml".into(), b"- name: Ops\n".to_vec())];
    let mut add = |file: &str, bytes: Vec<u8>| {
        files.retain(|(other, _)| other != file);
        files.push((file.to_owned(), bytes));
    };
    match target {
        "scripts" if random.random_bool(0.3) => {
            let expression = expression(random).replace('\'', "''");
            let route =
                format!("- on: a\n  template: t\n  groups: [Ops]\n  context:\n    x: '{expression}'\n");
            add("rules/a/routes.yaml", route.into_bytes());
            add("rules/a/templates/t.j2", format!("{FRONT}x").into_bytes());
        }
        "scripts" => {
            add("rules/a/routes.yaml", b"- on: a\n  script: s.rhai\n".to_vec());
            let script =
                if random.random_bool(0.2) { shipped(random, "rhai") } else { script(random).into_bytes() };
            add("rules/a/s.rhai", script);
        }
        "templates" => {
            add("rules/a/routes.yaml", ROUTE.as_bytes().to_vec());
            let own = format!("{FRONT}{}", template(random)).into_bytes();
            add("rules/a/templates/t.j2", if random.random_bool(0.2) { shipped(random, "j2") } else { own });
        }
        "yaml" => {
            let file = KINDS.choose(random).unwrap();
            let bytes =
                if random.random_bool(0.3) { shipped(random, "yaml") } else { yaml(random).into_bytes() };
            add(
                file,
                if file.ends_with(".j2") { [b"---\n", &bytes[..], b"\n---\nx"].concat() } else { bytes },
            );
        }
        _ => {
            add("plugins/p/plugin.yaml", yaml(random).into_bytes());
            if random.random_bool(0.5) {
                let manifest = "id: p\nversion: 1\ncontract: \"1.0\"\nowner: x\non: [a]\nlookup:\n  t: {file: t.csv, key: k}\n";
                add("plugins/p/plugin.yaml", manifest.as_bytes().to_vec());
            }
            add("plugins/p/t.csv", table(random).into_bytes());
        }
    }
    Input { files }
}

/// An input for people, cut where it is long.
pub fn shown(target: &str, seed: u64) -> String {
    let mut text = String::new();
    for (file, bytes) in input(target, seed).files {
        let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).into_owned();
        let _ = writeln!(text, "{file} ({} bytes): {beginning:?}", bytes.len());
    }
    text
}

/// How often something is repeated: seldom, and now and then very often.
fn times(random: &mut StdRng, most: usize) -> usize {
    match random.random_range(0..10) {
        0..=6 => random.random_range(0..8),
        7 | 8 => random.random_range(0..most.min(500)),
        _ => random.random_range(0..most),
    }
}

fn chain(random: &mut StdRng) -> String {
    let link = LINKS.choose(random).unwrap();
    format!("x{}", link.repeat(times(random, 200_000 / link.len())))
}

fn expression(random: &mut StdRng) -> String {
    match random.random_range(0..3) {
        0 => chain(random),
        1 => "event.data.list.map(|x| event.data.text)".to_owned() + *LINKS.choose(random).unwrap(),
        _ => format!("text([{}])", "event.data.text, ".repeat(times(random, 5_000))),
    }
}

fn script(random: &mut StdRng) -> String {
    let mut script = "fn g(x) { x }\nfn decide(event) {\n let a = [1]; let m = #{}; let v = 1; let x = 1;\n let s = first(event.data.text, \"x\");\n"
        .to_owned();
    for _ in 0..random.random_range(1..4) {
        let head = ["loop {", "for i in 0..50000 {", "for i in 0..3 {", "{"].choose(random).unwrap();
        script.push_str(head);
        for _ in 0..random.random_range(1..6) {
            script.push_str(STATEMENTS.choose(random).unwrap());
        }
        script.push_str("}\n");
    }
    if random.random_bool(0.2) {
        let _ = writeln!(script, "v = {};", chain(random));
    }
    script.push_str(RESULTS.choose(random).unwrap());
    script.push_str("\n}\n");
    script
}

fn template(random: &mut StdRng) -> String {
    let mut body = "words {% set x = list %}{% set ns = namespace() %}".to_owned();
    for _ in 0..random.random_range(1..20) {
        let tag = TAGS.choose(random).unwrap();
        body.push_str(&tag.repeat(1 + times(random, 30_000 / tag.len()) / 8));
        if random.random_bool(0.1) {
            let _ = write!(body, "{{{{ {} }}}}", chain(random));
        }
    }
    for end in ["{% endif %}", "{% endfor %}"] {
        if random.random_bool(0.3) {
            body.push_str(end);
        }
    }
    body
}

fn yaml(random: &mut StdRng) -> String {
    let mut text = String::new();
    for _ in 0..random.random_range(1..40) {
        let piece = YAML.choose(random).unwrap();
        let other = YAML.choose(random).unwrap();
        match random.random_range(0..4) {
            0 => text.push_str(&piece.repeat(times(random, 900_000 / piece.len().max(1)))),
            1 => text.push_str(&format!("{piece}{other}").repeat(times(random, 100_000))),
            _ => text.push_str(piece),
        }
        if text.len() > 1_000_000 {
            break;
        }
    }
    text
}

fn table(random: &mut StdRng) -> String {
    let column = "k".repeat(1 + times(random, 500_000));
    let mut text = format!("k,{column}\n");
    for _ in 0..times(random, 200_000) {
        text.push_str(["1,2\n", "\"a\",\"b\n", ",\n", "\"\"\"\",\r\n"].choose(random).unwrap());
    }
    text
}

/// A shipped file, changed here and there.
fn shipped(random: &mut StdRng, extension: &str) -> Vec<u8> {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules"), extension, &mut files);
    files.sort();
    let mut bytes = files.choose(random).and_then(|file| fs::read(file).ok()).unwrap_or_default();
    for _ in 0..random.random_range(1..6) {
        let (from, to) = (random.random_range(0..=bytes.len()), random.random_range(0..=bytes.len()));
        let (from, to) = (from.min(to), from.max(to));
        match random.random_range(0..4) {
            0 => drop(bytes.drain(from..to)),
            1 => {
                let part = bytes[from..to].repeat(times(random, 200).min(900_000 / (to - from).max(1)));
                bytes.splice(from..from, part);
            }
            2 => drop(bytes.splice(from..from, YAML.choose(random).unwrap().bytes())),
            _ => drop(bytes.splice(from..from, LINKS.choose(random).unwrap().bytes())),
        }
        bytes.truncate(1_000_000);
    }
    bytes
}

fn collect(folder: &Path, extension: &str, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}
