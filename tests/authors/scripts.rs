//! Scripts and expressions.

use serde_json::json;

use super::{check, folder, script, try_event};

fn decide(body: &str) -> String {
    format!("fn g(x) {{ x }}\nfn decide(event) {{\n  {body}\n}}\n")
}

#[test]
fn values_in_functions_in_values_are_dropped_without_end() {
    for body in [
        "let q = [1]; loop { let v = q.pop(); q.push(|y| v); }",
        "let q = [1]; for i in 0..60000 { q += Fn(\"g\").curry(q.pop()); }",
        "let f = Fn(\"g\"); for i in 0..60000 { f = Fn(\"g\").curry(f); } skip(\"ends\")",
        "let v = 1; for i in 0..40000 { let w = v; v = |y| w; } skip(`${v}`)",
        "let v = #{}; for i in 0..40000 { let w = v; v = #{a: |y| w}; } v",
        "let q = [1]; for i in 0..30000 { let v = q.pop(); q.push(|y| v); } print(q); debug(q); throw q",
        "let v = []; for i in 0..40000 { let w = v; v = [|| w]; } v == v",
    ] {
        let rules = script(&decide(body));
        check(rules.path()).lived("0 templates");
        try_event(rules.path(), &json!({})).lived("a/s.rhai:");
    }
}

#[test]
fn shared_texts_are_not_unfolded() {
    let text = json!({"text": "x".repeat(200_000)});
    let many = "let s = event.data.text; let a = []; a.pad(10000, 0); for i in 0..10000 { a[i] = s; } \
                let m = #{a: a};";
    for result in [
        "skip(a)",
        "a.to_string()",
        "`${a}`",
        "print(a)",
        "debug(m)",
        "m.to_json()",
        "text(m)",
        "text(a)",
        "title(a)",
        "throw a",
        "throw #{a: a}",
        "\"\" + a",
        "a + \"\"",
        "let t = \"\"; t += a; t",
        "a.sort(); skip(a)",
        "a.sort(|x, y| if x > y { 1 } else { -1 }); skip(a)",
        "a.dedup(); skip(a)",
        "let b = a + a; b.to_debug()",
        "let c = [a, a]; c == [a, a]",
        "let f = Fn(\"g\").curry(a); `${f}` + f",
        "#{template: \"t\", context: m}",
        "#{template: \"t\", groups: a}",
        "#{template: \"t\", reason: `${a}`}",
        "[a, a]",
    ] {
        let rules = script(&decide(&format!("{many} {result}")));
        try_event(rules.path(), &text).lived("a/s.rhai:");
    }
}

#[test]
fn functions_that_multiply_texts_are_bounded() {
    let text = json!({"text": "x".repeat(200_000)});
    for result in [
        "s.replace(\"x\", s); s",
        "s.replace('x', s); s",
        "s.replace(\"x\", 'é'); s.replace('é', s); s",
        "s.pad(1073741824, s); s",
        "s.pad(1073741824, 'x'); s",
        "let a = s.split(\"\"); a.len()",
        "let a = []; a.pad(10000, s); a.reduce(|t, x| t + x, \"\")",
        "let m = #{}; for i in 0..9000 { m[s + i] = s; } m",
        "let b = s.to_blob(); loop { b += b; }",
        "let t = \"\"; loop { t += s; }",
        "let a = []; loop { a.push(s + a.len()); }",
    ] {
        let rules = script(&decide(&format!("let s = event.data.text; {result}")));
        try_event(rules.path(), &text).lived("a/s.rhai:");
    }
}

#[test]
fn expressions_are_bounded_as_scripts_are() {
    for expression in [
        "event.data.list.map(|x| event.data.text).to_string()",
        "text(event.data.list.map(|x| event.data.text))",
        "skip(event.data.list.map(|x| event.data.text))",
        "event.data.list.map(|x| event.data.list.map(|y| event.data.text))",
    ] {
        let route = format!("- on: a\n  template: t\n  groups: [Ops]\n  context:\n    x: '{expression}'\n");
        let rules = folder(&[("a/routes.yaml", &route), ("a/templates/t.j2", &format!("{}x", super::FRONT))]);
        let data = json!({"text": "x".repeat(100_000), "list": vec![1; 5_000]});
        try_event(rules.path(), &data).lived("a/routes.yaml");
    }
}

#[test]
fn long_and_deep_words_are_told_or_taken() {
    for (begin, part, end) in [
        ("", "[", ""),
        ("", "|x| ", "1"),
        ("x", ".b", ""),
        ("1", " + 1", ""),
        ("a", "[0]", ""),
        ("a", ".b()", ""),
        ("a", " ?? a", ""),
        ("a", " && a", ""),
        ("", "!", "a"),
        ("", "if a {} else ", "{}"),
        ("let a = 1; ", "a += 1; ", "a"),
        ("", "nothing(); ", "1"),
        ("switch 1 { ", "1 => 1, ", "_ => 1 }"),
        ("`", "${1}", "`"),
        ("\"", "\\n", "\""),
        ("/*", "/*", "1"),
    ] {
        let rules = script(&decide(&format!("{begin}{}{end}", part.repeat(800_000 / part.len()))));
        check(rules.path()).lived(" in ");
    }
}
