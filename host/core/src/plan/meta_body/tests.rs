#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{super::template::syntax, MetaBody};

fn meta(body: &str) -> MetaBody {
    MetaBody::new(body, syntax()).unwrap()
}

/// The text at Meta; a parameter that leaves a gap is marked.
fn text(body: &str) -> String {
    let meta = meta(body);
    let marks: Vec<String> = (1..)
        .zip(&meta.parameters)
        .map(|(number, parameter)| {
            format!("{{{{{number}{}}}}}", if parameter.leaves_a_gap { "!" } else { "" })
        })
        .collect();
    meta.filled(&marks)
}

#[test]
fn variables_are_numbered_in_order_and_repeated_ones_again() {
    let meta = meta("Hi {{ name }}!\nYour {{ item | upper }}, {{ name }}.");
    assert_eq!(meta.text, "Hi {{1}}!\nYour {{2}}, {{3}}.");
    assert_eq!(meta.words(), ["Hi ", "!\nYour ", ", ", "."]);
    let places: Vec<_> = meta.parameters.iter().map(|p| (p.line, p.column, p.source.as_str())).collect();
    assert_eq!(places, [(1, 7, "name"), (2, 9, "item | upper"), (2, 29, "name")]);
}

#[test]
fn a_line_with_a_label_keeps_it() {
    assert_eq!(text("A\n{% if pin %}\nMap: {{ pin }}\n{% endif %}\nB"), "A\nMap: {{1}}\nB");
    let two = "A\n{% if x %}\n*Paid:* USD {{ x }} in all\nTax: {{ x * 2 }}, {{ x }}\n{% endif %}\nB";
    assert_eq!(text(two), "A\n*Paid:* {{1}}\nTax: {{2}}\nB");
    assert_eq!(
        meta(two).values,
        "{% if x %}USD {{ x }} in all{% endif %}\u{1f}{% if x %}{{ x * 2 }}, {{ x }}{% endif %}\u{1f}"
    );
    // Here the label would be untrue without it, or there is none.
    for body in [
        "See\n{% if urgent %}\nCall: {{ phone }}\n{% endif %}\nB",
        "See\n{% if x %}\nCall {{ x }} now.\n{% endif %}\nB",
        "See\n{% if x %}\nAt 10:{{ x }}\nNow\n{% endif %}\nB",
    ] {
        assert!(!text(body).contains("Call") && !text(body).contains("At"), "{body}: {}", text(body));
    }
}

#[test]
fn any_other_block_is_one_parameter() {
    assert_eq!(text("A\n{% for i in items %}\n- {{ i }}\n{% endfor %}\nB"), "A\n{{1}}\nB");
    assert_eq!(text("A {% if x %}yes{% else %}no{% endif %} B"), "A {{1}} B");
    assert_eq!(text("{% set n = 5 %}\nA {{ n }} B"), "A {{1}} B");
}

#[test]
fn what_can_be_empty_takes_in_a_word_beside_it() {
    for (body, at_meta) in [
        ("You have {{ n }} line{% if n > 1 %}s{% endif %} and more.", "You have {{1}} and more."),
        ("You have some line{% if n > 1 %}s{% endif %} and more.", "You have some {{1}} and more."),
        ("It is {% if urgent %}now {% endif %}ready for you.", "It is {{1}} for you."),
        ("It is{% if urgent %} now{% endif %} ready for you.", "It {{1}} ready for you."),
        ("It is {% if urgent %}now{% endif %} ready for you.", "It is {{1}} for you."),
        ("It is ready{% if urgent %} now{% endif %}.", "It is {{1}}."),
        ("It is ready ({% if urgent %}now{% endif %}) for you.", "It is ready {{1}}) for you."),
        ("Dear {{ name | default('') }}, it is ready.", "Dear {{1}} it is ready."),
        ("Dear {{ name or '' }} it is ready.", "Dear {{1}} is ready."),
        ("Come in. {{ 'Hurry!' if urgent }} Good bye.", "Come in. {{1}} bye."),
        ("Come in.\n{% if urgent %}\nHurry up!\n{% endif %}\nGood bye.", "Come {{1}}\nGood bye."),
        ("Hello.\n\n{% if urgent %}\nHurry up!\n{% endif %}\nCome in now.", "Hello.\n\n{{1}} in now."),
        // A label reads well without a value.
        ("State: {% if paid %}paid{% endif %}\nThank you.", "State: {{1}}\nThank you."),
        ("*State:* {{ state | default('') }}\nThank you.", "*State:* {{1}}\nThank you."),
    ] {
        assert_eq!(text(body), at_meta, "{body}");
    }
}

#[test]
fn what_cannot_take_in_a_word_leaves_a_gap() {
    for (body, at_meta) in [
        ("A {% if urgent %}now{% endif %} B", "A {{1!}} B"),
        ("A {% if urgent %}Call {{ phone }} now{% endif %} B", "A {{1!}} B"),
        ("Hello\n\n{% if urgent %}\nHurry!\n{% endif %}\n\nBye", "Hello\n\n{{1!}}\n\nBye"),
    ] {
        assert_eq!(text(body), at_meta, "{body}");
    }
}

#[test]
fn where_nothing_stands_is_known() {
    let meta = meta("Map: {{ a }}\nTo {{ b }} with {{ c }}\n- {{ d }}\n*Due:* {{ e }}.\nSo {{ f }}");
    let within: Vec<bool> = (0..6).map(|index| meta.is_within_a_sentence(index)).collect();
    assert_eq!(within, [false, true, true, false, false, true]);
}
