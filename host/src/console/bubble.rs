//! A message as a phone shows it, in HTML.

use hookswitch_core::domain::{Message, Mode, visible};
use serde::Serialize;

use crate::operate::next_mark;

/// One way in which people may read a message.
#[derive(Debug, Serialize)]
pub struct Face {
    /// When they read it so.
    pub label: String,
    /// The text, in WhatsApp's formatting.
    pub body: String,
    /// The small line below it.
    pub footer: Option<String>,
    /// The titles of the buttons.
    pub buttons: Vec<String>,
}

/// What people can read of a message: in an open 24-hour window, and outside of it as a Meta template.
pub fn faces(message: &Message) -> Vec<Face> {
    let face = |label: String, body: &str| Face {
        label,
        body: visible(body).into_owned(),
        footer: message.footer.clone(),
        buttons: message.buttons.iter().map(|button| button.title.clone()).collect(),
    };
    let as_template = format!("as the Meta template {}", message.template);
    let at_meta = message.meta_body.as_deref();
    match (message.mode, at_meta) {
        (Mode::Text, _) => vec![face("in an open 24-hour window".to_owned(), &message.body)],
        (Mode::Template, at_meta) => vec![face(as_template, at_meta.unwrap_or(&message.body))],
        (Mode::Auto, None) => {
            vec![face(format!("in any window; outside of it {as_template}"), &message.body)]
        }
        (Mode::Auto, Some(at_meta)) => vec![
            face("in an open 24-hour window".to_owned(), &message.body),
            face(format!("outside of it, {as_template}"), at_meta),
        ],
    }
}

/// A text as HTML, with WhatsApp's formatting.
pub fn formatted(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let item = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
        match (line.strip_prefix("> "), item) {
            (Some(quote), _) => format!("<q>{}</q>", marked(quote)),
            (None, Some(item)) => format!("• {}", marked(item)),
            (None, None) => marked(line),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn marked(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((before, mark, inside, after)) = next_mark(rest) {
        let element = match mark {
            '*' => "b",
            '_' => "i",
            '~' => "s",
            _ => "code",
        };
        let inside = if mark == '`' { escaped(inside) } else { marked(inside) };
        text.push_str(&format!("{}<{element}>{inside}</{element}>", escaped(before)));
        rest = after;
    }
    text.push_str(&escaped(rest));
    text
}

/// A text without markup.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_formatted_and_nothing_in_it_is_markup() {
        assert_eq!(
            formatted("*Order* <b>\n> _late_\n- x"),
            "<b>Order</b> &lt;b&gt;\n<q><i>late</i></q>\n• x"
        );
        assert_eq!(
            formatted("*<img onerror=x>* `\"&'`"),
            "<b>&lt;img onerror=x&gt;</b> <code>&quot;&amp;&#39;</code>"
        );
    }
}
