//! A message as a phone shows it, in HTML.

use hookswitch_core::domain::{Button, Message, Mode, visible};
use serde::Serialize;

use crate::operate::next_mark;

/// One way in which people may read a message.
#[derive(Debug, Serialize)]
pub struct Face {
    /// When they read it so.
    pub label: String,
    /// The line above the text, or what stands there.
    pub header: Option<String>,
    /// The text, in WhatsApp's formatting.
    pub body: String,
    /// The small line below it.
    pub footer: Option<String>,
    /// The buttons.
    pub buttons: Vec<FaceButton>,
}

/// A button as a phone shows it.
#[derive(Debug, Serialize)]
pub struct FaceButton {
    /// The mark before its title.
    pub mark: &'static str,
    /// Its title.
    pub title: String,
    /// What it opens, calls or copies; empty for a quick reply.
    pub target: String,
    /// The rows of a list, each as a line.
    pub rows: Vec<String>,
}

/// What people can read of a message: in an open 24-hour window, and outside of it as a Meta template.
pub fn faces(message: &Message) -> Vec<Face> {
    let face = |label: String, message: &Message| Face {
        label,
        header: message.header.as_ref().map(|header| visible(&header.shown()).into_owned()),
        body: visible(&message.body).into_owned(),
        footer: message.footer.clone(),
        buttons: message.buttons.iter().map(button).collect(),
    };
    let as_template = format!("as the Meta template {}", message.template);
    let (in_window, at_meta) = (message.in_window(), message.as_template());
    match message.mode {
        Mode::Text => vec![face("in an open 24-hour window".to_owned(), &in_window)],
        Mode::Template => vec![face(as_template, &at_meta)],
        Mode::Auto if in_window.reads_as(&at_meta) => {
            vec![face(format!("in any window; outside of it {as_template}"), &in_window)]
        }
        Mode::Auto => vec![
            face("in an open 24-hour window".to_owned(), &in_window),
            face(format!("outside of it, {as_template}"), &at_meta),
        ],
    }
}

fn button(button: &Button) -> FaceButton {
    FaceButton {
        mark: button.mark(),
        title: button.title.clone(),
        target: visible(button.target().unwrap_or_default()).into_owned(),
        rows: button.rows().iter().map(|row| visible(row).into_owned()).collect(),
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
