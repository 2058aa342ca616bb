//! The texts of all findings about templates, as their authors read them.

use std::path::Path;

use super::{
    TEMPLATE,
    words::{FRONT, folder, words},
};
use crate::catalog::{load, meta_templates};

#[test]
fn of_templates() {
    let body = "Hello {{ name }}, welcome.\n";
    let with = |front: &str| format!("{FRONT}{front}---\n{body}");
    let of = |body: &str| format!("{FRONT}---\n{body}");
    let huge = format!("---\ndescription: {}\n---\n{body}", "x".repeat(9_000));
    let buttons = "buttons: [{id: a, title: Yes}, {id: b, title: No}, {id: c, title: Maybe}, {id: '', title: a title that is too long}]\n";
    let templates = [
        ("and", of("{% if a && b %}x{% endif %}")),
        ("button", with("buttons: [Yes]\n")),
        ("button_key", with("buttons: [{id: a, text: Yes}]\n")),
        ("buttons", with(buttons)),
        ("category", with("").replace("utility", "notice")),
        ("date", of("Due {{ due | date }}.")),
        ("description", with("").replace("description: x", "description: ' '")),
        ("elif", of("{% if a %}x{% else if b %}y{% endif %}")),
        ("empty", of("  \n")),
        ("field", with("").replace("category", "categorie")),
        ("filter", of("Hello {{ name | uppper }}.")),
        ("footer", with(&format!("footer: {}\n", "x".repeat(61)))),
        ("footer_tag", with("footer: 'by {{ name }}'\n")),
        ("button_tag", with("buttons: [{id: a, title: '{{ x }}'}, {id: 'b{% if x %}', title: Yes}]\n")),
        ("front", body.to_owned()),
        ("function", of("Hello {{ upper(name) }}, {{ total() }}.")),
        ("handlebars", of("{{#if name}}x{{/if}}")),
        ("huge", huge),
        ("language", with("").replace("en_US", "english")),
        ("list", of("{{ [1] * 5 }}")),
        ("long_tag", of(&format!("{{{{ {}a }}}}", "a ~ ".repeat(600)))),
        ("loop", of("{% for i in items %}{% if loop.changed(i) %}x{% endif %}{% endfor %}")),
        ("meta_name", with("meta_name: Order-Created\n")),
        ("method", of("Hello {{ name.upper() }} {{ name.strip() }} {{ name.frobnicate() }}.")),
        ("missing", with("").replace("language: en_US\n", "")),
        ("mode", with("mode: sms\non_unknown: retry\n")),
        ("not", of("{% if !a %}x{% endif %}")),
        ("open", of("Hello {{ name }, welcome.")),
        ("or", of("{% if a || b %}x{% endif %}")),
        ("set", of("{% set list[0] = 1 %}{{ list }}")),
        ("tab", with("buttons:\n\t- {id: a, title: Yes}\n")),
        ("tags", of(&"{{ a }}".repeat(2_001))),
        ("ternary", of("{{ a ? b : c }}")),
        ("test", of("{% if name is startswith('a') %}x{% endif %}")),
        ("twice", with("language: de\n")),
        ("type", with("footer: [a]\n")),
        ("wide", of(&"x".repeat(70_000))),
    ];
    let files: Vec<_> =
        templates.iter().map(|(name, text)| (format!("a/templates/{name}.j2"), text.as_str())).collect();
    let mut files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    files.push(("b/templates/order_created.j2", TEMPLATE));
    insta::assert_snapshot!(words(&files));
}

#[test]
fn of_templates_at_meta() {
    let body = "There are enough words in this text to keep Meta happy with";
    let with = |front: &str, body: &str| format!("{FRONT}{front}---\n{body}");
    let templates = [
        ("Capital", with("", body)),
        ("beside", with("", &format!("{body} {{{{ a }}}} {{{{ b }}}} two."))),
        ("braces", with("", &format!("{body} {{% raw %}}{{{{{{% endraw %}} three."))),
        ("buttons", with("buttons: [{id: a, title: Yes}, {id: b, title: Yes}, {id: c, title: ' '}]\n", body)),
        ("ends", with("", &format!("{body} {{{{ a }}}}"))),
        ("few", with("", "Hi {{ a }} and {{ b }} there")),
        ("footer_empty", with("footer: ' '\n", &format!("{body} five."))),
        ("long", with("", &"long ".repeat(300))),
        ("name_a", with("meta_name: same\n", &format!("{body} six."))),
        ("name_b", with("meta_name: same\n", &format!("{body} seven."))),
        ("one", with("", "Hi {{ a }} there")),
        ("starts", with("", &format!("{{{{ a }}}} {body} eight."))),
        ("text", with("mode: text\n", "{{ a }}")),
        ("twin", with("", body)),
    ];
    let files: Vec<_> =
        templates.iter().map(|(name, text)| (format!("a/templates/{name}.j2"), text.as_str())).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let folder = folder(&files);
    let catalog = load(&folder.path().into()).unwrap_or_else(|findings| panic!("{findings}"));
    let (_, findings) = meta_templates(Path::new("rules"), &catalog);
    insta::assert_snapshot!(findings.to_string());
}

#[test]
fn of_templates_that_do_not_fit_meta() {
    let body = "There are enough words in this text to keep Meta happy";
    let with = |language: &str, body: &str| format!("{FRONT}---\n{body}").replace("en_US", language);
    let templates = [
        ("case", with("EN_us", &format!("{body} one."))),
        ("code", with("pt", &format!("{body} two."))),
        ("ends", with("en_US", &format!("{body} {{{{ a }}}}"))),
        (
            "gap",
            with(
                "en_US",
                &format!("Hello\n\n{{% if urgent %}}\nHurry!\n{{% endif %}}\n\n{body} with {{{{ a }}}}."),
            ),
        ),
        ("text", with("xx", body).replace("---\nThere", "mode: text\n---\nThere")),
        ("unknown", with("sn", &format!("{body} three."))),
    ];
    let files: Vec<_> =
        templates.iter().map(|(name, text)| (format!("a/templates/{name}.j2"), text.as_str())).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    insta::assert_snapshot!(words(&files));
}
