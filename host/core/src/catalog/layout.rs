//! The layout of authors' YAML: files of rules and plugins, and the front matter of templates. Comments, order and the choice
//! between blocks and one line stay; scripts and the bodies of templates are left as they are.

use pretty_yaml::config::{FormatOptions, LanguageOptions, LayoutOptions, LineBreak};
use serde_yaml::Value;

use super::{
    findings::Finding,
    yaml::{Kind, Node, parse},
};
use crate::plan::front_matter;

/// Expressions and cases are long, and a list or map in brackets stays on its line. Only a comment within it breaks it.
const WIDTH: usize = 100_000;
/// Maximum number of passes until nothing changes any more.
const PASSES: usize = 4;

/// The text of a file (`.yaml`, or `.j2` for a template) in the layout that all have. Laid out again, it stays as it is.
///
/// # Errors
/// If it is not valid, or cannot be laid out without a change of what is read.
pub fn laid_out(file: &str, text: &str) -> Result<String, Finding> {
    let (mark, text) = text.strip_prefix('\u{feff}').map_or(("", text), |text| ("\u{feff}", text));
    if !file.ends_with(".j2") {
        return Ok(format!("{mark}{}", yaml(file, text)?));
    }
    let (front, _) =
        front_matter(text).map_err(|why| Finding { line: 1, column: 1, ..Finding::of_file(file, why) })?;
    // What stands around it, line breaks and all, is left as it is.
    let start = text.len() - text.split_once('\n').map_or(text, |(_, rest)| rest).len();
    let read = |text: &str| serde_yaml::from_str::<Value>(text);
    let new = yaml(file, front).map_err(|finding| Finding { line: finding.line + 1, ..finding })?;
    match (read(front), read(&new)) {
        (Ok(before), Ok(after)) if before == after => {
            Ok(format!("{mark}{}{new}{}", &text[..start], &text[start + front.len()..]))
        }
        _ => Err(changed(file)),
    }
}

/// Lays YAML out until nothing changes any more.
fn yaml(file: &str, text: &str) -> Result<String, Finding> {
    // Also bounds what is laid out: its depth and its number of values.
    let before = parse(file, text)?;
    let mut now = text.to_owned();
    for _ in 0..PASSES {
        let next = pretty_yaml::format_text(&now, &options(text)).map_err(|_| changed(file))?;
        if next == now {
            let is_same = parse(file, &now).is_ok_and(|after| same_or_none(before.as_ref(), after.as_ref()));
            return if is_same && comments(text) == comments(&now) { Ok(now) } else { Err(changed(file)) };
        }
        now = next;
    }
    Err(changed(file))
}

fn options(text: &str) -> FormatOptions {
    let line_break = if text.contains("\r\n") { LineBreak::Crlf } else { LineBreak::Lf };
    FormatOptions {
        layout: LayoutOptions { print_width: WIDTH, indent_width: 2, line_break },
        language: LanguageOptions {
            trailing_comma: false,
            brace_spacing: false,
            ..LanguageOptions::default()
        },
    }
}

fn changed(file: &str) -> Finding {
    Finding::of_file(file, "the file cannot be laid out without changing what is read")
        .help("it stays as it is; write it in plainer YAML, or lay it out by hand")
}

/// The comments that have a line of their own, in order.
fn comments(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| line.starts_with('#')).collect()
}

fn same_or_none(one: Option<&Node>, other: Option<&Node>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// Whether two values are the same wherever they stand. The order of keys has a meaning: `let` before `when`.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Kind::Plain(one), Kind::Plain(other)) => one == other,
        (Kind::Text(one), Kind::Text(other)) => one == other,
        (Kind::List(one), Kind::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Kind::Map(one), Kind::Map(other)) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len()
                && pairs.all(|((a, one), (b, other))| a.text == b.text && same(one, other))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{fs, path::Path};

    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::{comments, laid_out};

    #[test]
    fn a_layout_keeps_comments_and_choices() {
        let text = "# Ours.\n-   on:   order.created   # at once\n    when: 'event.data.a == \"b\"'\n    groups: [ Sales,Ops ]\n    let: { a: 1,b: 2 }\n\n\n\n-   on: x\n    reason: |\n        two\n          lines\n";
        let expected = "# Ours.\n- on: order.created # at once\n  when: 'event.data.a == \"b\"'\n  groups: [Sales, Ops]\n  let: {a: 1, b: 2}\n\n- on: x\n  reason: |\n    two\n      lines\n";
        assert_eq!(laid_out("a/routes.yaml", text).unwrap(), expected);
    }

    #[test]
    fn of_a_template_only_the_front_matter_is_laid_out() {
        let body = "{%if a%}  {{a}}{%endif%}  \r\n---\na:   b";
        let text = format!("---\ndescription:   x\ncategory: 'utility'\n---  \n{body}");
        let expected = format!("---\ndescription: x\ncategory: \"utility\"\n---  \n{body}");
        assert_eq!(laid_out("a/templates/t.j2", &text).unwrap(), expected);
        let finding = laid_out("a/templates/t.j2", "---\na: [\n---\n").unwrap_err();
        assert!(finding.line > 1, "{finding:?}");
        assert!(laid_out("a/templates/t.j2", "Hello").is_err());
    }

    #[test]
    fn what_is_not_valid_is_refused_with_its_place() {
        let finding = laid_out("a/routes.yaml", "- on: a\n- on: [\n").unwrap_err();
        assert!(finding.line > 1, "{finding:?}");
        for text in ["a: 1\na: 2\n", "a: !x 1\n", "a: 1\n---\nb: 2\n", &"[".repeat(10_000)] {
            assert!(laid_out("a/routes.yaml", text).is_err(), "{text}");
        }
    }

    /// All files of authors in the repository, and their texts.
    fn shipped() -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut folders = ["rules", "plugins", "examples"].map(|name| root.join(name)).to_vec();
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
                let name = path.to_str().unwrap().to_owned();
                if path.is_dir() && !name.ends_with("/target") {
                    folders.push(path);
                } else if name.ends_with(".yaml") || name.ends_with(".j2") {
                    files.push((name, fs::read_to_string(path).unwrap()));
                }
            }
        }
        files
    }

    #[test]
    fn what_is_shipped_is_laid_out() {
        let files = shipped();
        assert!(files.len() > 60, "{}", files.len());
        for (file, text) in files {
            assert_eq!(
                laid_out(&file, &text).unwrap_or_else(|finding| panic!("{finding:?}")),
                text,
                "{file}"
            );
        }
    }

    /// Spoils the spaces, quotes, line breaks and comments of what is shipped, and writes odd YAML.
    #[test]
    fn a_layout_is_stable_and_changes_nothing_that_is_read() {
        let mut random = StdRng::seed_from_u64(7);
        let mut odd: Vec<String> = [
            "",
            "# only",
            "a:\n  - 1\n  -  2\n",
            "? a\n: b\n",
            "a: &x {b: 1}\nc: *x\n",
            "--- # doc\na: 1\n...\n",
            "a: \"x\\\n  y\"\nb: 'it''s'\n",
            "a: >-\n   x\n   y\n\n\n   z\n#end",
            "- - - 1\n    - 2\n",
            "a: [1, # one\n 2]\n",
            "{a: 1,\n# c\nb: 2}\n",
            "a: |2\n    x\n",
            "a: |+\n  x\n\n\n",
            "\u{feff}a:   1\r\nb:  2\r\n",
            "a:   ~\nb:\n",
            "'a':  \"b\"",
        ]
        .map(str::to_owned)
        .to_vec();
        let shipped = shipped();
        let pieces =
            [" ", "  ", "\n", "\n\n", "# x\n", "'", "\"", ",", "[", "]", "{", "}", ": ", "- ", "|\n", "\t"];
        for _ in 0..600 {
            let (_, text) = &shipped[random.random_range(0..shipped.len())];
            let mut text: Vec<char> =
                text.strip_prefix("---\n").unwrap_or(text).chars().take(1_500).collect();
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..text.len());
                let piece = pieces[random.random_range(0..pieces.len())];
                drop(text.splice(at..at, piece.chars()));
            }
            odd.push(text.into_iter().collect());
        }
        let mut laid = 0;
        for text in &odd {
            let Ok(once) = laid_out("a.yaml", text) else { continue };
            laid += 1;
            assert_eq!(laid_out("a.yaml", &once).unwrap(), once, "{text}");
            assert_eq!(comments(text), comments(&once), "{text}");
            let read = |text: &str| super::parse("a.yaml", text).unwrap().map(|node| node.json());
            assert_eq!(read(text), read(&once), "{text}");
        }
        println!("{laid} of {} were laid out", odd.len());
        assert!(laid > 100, "{laid} of {}", odd.len());
    }
}
