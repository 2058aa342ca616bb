//! Pages from templates. Everything that comes from outside is escaped.

use std::sync::LazyLock;

use axum::response::Html;
use hookswitch_core::domain::Status;
use jiff::Timestamp;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value, context, value::Serde};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::{bubble, refusal::Refusal, session::Viewer, timeline};
use crate::{check::words, operate::masked, whatsapp};

/// Characters of a value in a query that stay as they are.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Characters of a text in a list.
const SHORT: usize = 80;
/// Characters of a text that is shown by itself.
const LONG: usize = 3_000;

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, text) in TEMPLATES {
        // A test renders each of them.
        if let Err(error) = pages.add_template(name, text) {
            tracing::error!(error = format!("{error:#}"), name, "a page is not a template");
        }
    }
    pages.add_filter("time", time);
    pages.add_filter("short", |text: &str| cut(text, SHORT));
    pages.add_filter("long", |text: &str| cut(text, LONG));
    pages.add_filter("tone", |status: &str| status.parse::<Status>().map_or("", timeline::tone));
    pages.add_filter("masked", |text: &str| masked(text));
    pages.add_filter("formatted", |text: &str| Value::from_safe_string(bubble::formatted(text)));
    pages.add_filter("grouped", words::grouped);
    pages.add_filter("q", |text: &str| utf8_percent_encode(text, PLAIN).to_string());
    pages.add_filter("json", |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default());
    pages.add_filter("meaning", |code: i32| whatsapp::meaning(code));
    pages
});

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("templates/base.html")),
    ("macros.html", include_str!("templates/macros.html")),
    ("refusal.html", include_str!("templates/refusal.html")),
    ("login.html", include_str!("templates/login.html")),
    ("link.html", include_str!("templates/link.html")),
    ("overview.html", include_str!("templates/overview.html")),
    ("events.html", include_str!("templates/events.html")),
    ("case.html", include_str!("templates/case.html")),
    ("event.html", include_str!("templates/event.html")),
    ("messages.html", include_str!("templates/messages.html")),
    ("message.html", include_str!("templates/message.html")),
    ("failed.html", include_str!("templates/failed.html")),
    ("act.html", include_str!("templates/act.html")),
    ("job.html", include_str!("templates/job.html")),
    ("resolve.html", include_str!("templates/resolve.html")),
    ("unknown.html", include_str!("templates/unknown.html")),
    ("waiting.html", include_str!("templates/waiting.html")),
    ("withdraw.html", include_str!("templates/withdraw.html")),
    ("people.html", include_str!("templates/people.html")),
    ("person.html", include_str!("templates/person.html")),
    ("groups.html", include_str!("templates/groups.html")),
    ("contacts.html", include_str!("templates/contacts.html")),
    ("confirm.html", include_str!("templates/confirm.html")),
    ("access.html", include_str!("templates/access.html")),
    ("actions.html", include_str!("templates/actions.html")),
    ("try.html", include_str!("templates/try.html")),
    ("meta.html", include_str!("templates/meta.html")),
    ("template.html", include_str!("templates/template.html")),
    ("push.html", include_str!("templates/push.html")),
    ("pushed.html", include_str!("templates/pushed.html")),
    ("plugins.html", include_str!("templates/plugins.html")),
    ("schedules.html", include_str!("templates/schedules.html")),
    ("numbers.html", include_str!("templates/numbers.html")),
    ("link_contact.html", include_str!("templates/link_contact.html")),
    ("person_form.html", include_str!("templates/person_form.html")),
    ("import.html", include_str!("templates/import.html")),
    ("quiet.html", include_str!("templates/quiet.html")),
    ("fix.html", include_str!("templates/fix.html")),
    ("key.html", include_str!("templates/key.html")),
    ("releases.html", include_str!("templates/releases.html")),
    ("release.html", include_str!("templates/release.html")),
    ("release_diff.html", include_str!("templates/release_diff.html")),
    ("release_activate.html", include_str!("templates/release_activate.html")),
    ("replays.html", include_str!("templates/replays.html")),
    ("report.html", include_str!("templates/report.html")),
    ("shadow.html", include_str!("templates/shadow.html")),
    ("replay.html", include_str!("templates/replay.html")),
    ("rules.html", include_str!("templates/rules.html")),
    ("switches.html", include_str!("templates/switches.html")),
    ("stop.html", include_str!("templates/stop.html")),
    ("resume.html", include_str!("templates/resume.html")),
];

/// A value of a page, as its JSON.
pub fn value(value: &impl Serialize) -> Value {
    Value::from(Serde(serde_json::to_value(value).unwrap_or_default()))
}

/// A page for somebody who has logged in.
pub fn view(name: &str, viewer: &Viewer, more: Value) -> Result<Html<String>, Refusal> {
    Ok(Html(page(name, context! { viewer => value(viewer), ..more })?))
}

/// A page; without a viewer it has no menu.
pub fn page(name: &str, values: Value) -> Result<String, Error> {
    let base = context! { viewer => () };
    PAGES.get_template(name)?.render(context! { ..values, ..base })
}

/// A path with these values in its query.
pub fn link(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, PLAIN))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A path that ends with a value.
pub fn segment(path: &str, value: &str) -> String {
    format!("{path}{}", utf8_percent_encode(value, PLAIN))
}

/// A time for people, with the exact time for programs and on pointing.
fn time(at: &str) -> Value {
    let shown = at.parse::<Timestamp>().map_or_else(|_| at.to_owned(), words::time);
    let escaped = bubble::escaped(at);
    Value::from_safe_string(format!(
        "<time datetime=\"{escaped}\" title=\"{escaped}\">{}</time>",
        bubble::escaped(&shown)
    ))
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn each_template_compiles() {
        for (name, text) in TEMPLATES {
            Environment::new()
                .template_from_str(text)
                .map(drop)
                .map_err(|error| format!("{name}: {error:#}"))
                .unwrap();
        }
    }

    /// An unknown one is an error only when the place is reached, which may be seldom.
    #[test]
    fn each_filter_is_known() {
        for (name, text) in TEMPLATES {
            let code =
                text.split("{{").chain(text.split("{%")).skip(1).filter_map(|part| part.split('}').next());
            for filter in code.flat_map(|code| code.split('|').skip(1)) {
                let filter: String =
                    filter.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let tried = PAGES.render_str(&format!("{{{{ 0|{filter} }}}}"), ());
                let is_unknown =
                    tried.is_err_and(|error| error.kind() == minijinja::ErrorKind::UnknownFilter);
                assert!(!is_unknown, "{name}: {filter:?} is no filter");
            }
        }
    }

    #[test]
    fn texts_are_cut_and_linked() {
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("äö", 2), "äö");
        assert_eq!(link("/event", &[("id", "a b&c")]), "/event?id=a%20b%26c");
    }
}
