//! YAML of every kind, and tables.

use super::{check, folder, write};

/// Where YAML is read.
const FILES: [&str; 6] =
    ["groups.yaml", "schedules.yaml", "a/routes.yaml", "a/config.yaml", "a/cases/c.yaml", "a/templates/t.j2"];

fn text(file: &str, yaml: &str) -> String {
    if file.ends_with(".j2") { format!("---\n{yaml}\n---\nHello") } else { yaml.to_owned() }
}

#[test]
fn depth_is_told_however_it_is_written() {
    for file in FILES {
        for yaml in [
            format!("\u{feff}{}y\n", "- ".repeat(5_000)),
            format!("# c\r{}y\n", "- ".repeat(20_000)),
            format!("\u{feff}{}y\n", "? ".repeat(20_000)),
            format!("a:\r{}y\n", "  - ".repeat(20_000)),
            "[".repeat(200_000),
            "{a: ".repeat(100_000),
            "- &a ".repeat(20_000),
            "!!seq [".repeat(20_000),
            (0..1_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            format!("--- {}", "- ".repeat(20_000)),
            "? - ? - ".repeat(9_000),
        ] {
            let rules = folder(&[(file, &text(file, &yaml))]);
            check(rules.path()).lived(file);
        }
    }
}

#[test]
fn a_mebibyte_of_anything_is_read_or_refused() {
    let fill = |part: &str| part.repeat(1_000_000 / part.len());
    for file in FILES {
        for yaml in [
            format!("x: [{}]", fill("a,")),
            format!("x: {{{}}}", fill("a,")),
            format!("x: {}{}{}", "&a [".repeat(10), fill("0,"), "]".repeat(10)),
            format!("x: {}\"{}\"{}", "[".repeat(60), fill("x"), "]".repeat(60)),
            fill("- a\n"),
            fill("-\n"),
            (0..60_000).map(|n| format!("k{n}: v\n")).collect(),
            format!("a: &a [{}]\nb: [{}]", "x,".repeat(900), fill("*a,")),
            fill("&a "),
            fill("# comment\n"),
            format!("x: |\n{}", fill("  line\n")),
            format!("x: '{}'", fill("''")),
            format!("x: \"{}\"", fill("\\n")),
            fill("a"),
            fill(":"),
            fill("%TAG ! !\n"),
            fill("---\n"),
            fill("*a "),
            fill("!a "),
            format!("{}: 1", fill("a")),
            format!("- on: {}\n", fill("a ")),
            format!("- {{on: a, template: {}, groups: [Opps]}}\n", fill("t")),
        ] {
            let rules = folder(&[(file, &text(file, &yaml))]);
            check(rules.path()).lived(" in ");
        }
    }
}

#[test]
fn anchors_are_repeated_as_far_as_that_costs_little() {
    let rules = folder(&[("a/config.yaml", "one: &one [1, 2]\ntwo: *one\nthree: {x: *one}\n")]);
    check(rules.path()).lived("1 group");
    for yaml in [
        format!("x: {}{}{}", "&a [".repeat(60), "0,".repeat(400_000), "]".repeat(60)),
        format!("a: &a \"{}\"\nb: [{}]", "x".repeat(900_000), "*a,".repeat(20_000)),
        "a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n\
         d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]\n"
            .to_owned(),
        "a: &a [*a]\n".to_owned(),
    ] {
        let rules = folder(&[("a/config.yaml", &yaml)]);
        check(rules.path()).lived("a/config.yaml:");
    }
}

#[test]
fn wrong_files_are_told_in_words_that_people_can_read() {
    let line = "x,".repeat(90_000);
    let rules = folder(&[("a/routes.yaml", &format!("[{line}]"))]);
    check(rules.path()).lived("more findings");
    let unknown: String = (0..30_000).map(|n| format!("- {{k{n}: 1}}\n")).collect();
    let rules = folder(&[("a/routes.yaml", &unknown)]);
    for file in 0..20 {
        write(rules.path(), &format!("b{file}/routes.yaml"), &unknown);
    }
    check(rules.path()).lived("more findings");
}
