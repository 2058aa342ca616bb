//! An example of a change, as bubbles: with the words that are gone and those that are new.

use console::{Term, style};
use hookswitch_core::{
    compare::{ChangeKind, ComparedMessage},
    domain::{Button, Face, Message},
};

use crate::{
    cli::{bubble::bubble, table::one_line},
    operate::{Piece, ReplayExample, word_diff},
};

/// Columns before a bubble.
const INDENT: &str = "   ";

/// The example with its bubbles.
pub fn example(example: &ReplayExample) -> String {
    let ReplayExample { change, event, then, now } = example;
    let Some(of) = now.as_ref().or(then.as_ref()) else { return String::new() };
    let mut text = format!(
        "{} {} of {} ({})\n",
        style(change.to_string()).bold().yellow(),
        one_line(&of.template),
        one_line(&event.kind),
        one_line(&event.id)
    );
    let rules = [then, now].map(|of| of.as_ref().and_then(|of| of.rule.as_deref()));
    match rules {
        [Some(then), Some(now)] if then != now => text.push_str(&format!("{INDENT}{then} → {now}\n")),
        [Some(rule), _] | [None, Some(rule)] => text.push_str(&format!("{INDENT}{rule}\n")),
        [None, None] => {}
    }
    match (change, then, now) {
        (ChangeKind::Time, Some(then), Some(now)) => {
            text.push_str(&format!("{INDENT}then {}\n{INDENT}now  {}\n", timing(then), timing(now)));
        }
        (ChangeKind::People, Some(then), Some(now)) => {
            text.push_str(&format!("{INDENT}then to {}\n", name(then)));
            text.push_str(&faces(now, now));
        }
        (_, then, now) => {
            let (then, now) = (then.as_ref().unwrap_or(of), now.as_ref().unwrap_or(of));
            text.push_str(&faces(then, now));
        }
    }
    text
}

/// What people read: once where both ways are the same, or differ alike.
fn faces(then: &ComparedMessage, now: &ComparedMessage) -> String {
    let window = (&then.in_window, &now.in_window);
    let template = (&then.as_template, &now.as_template);
    let mut text = String::new();
    if window == template {
        text.push_str(&face("", window, now));
        return text;
    }
    text.push_str(&face("in an open 24-hour window", window, now));
    text.push_str(&face("outside of it, as the Meta template", template, now));
    if then.from != now.from {
        let from = |of: &ComparedMessage| of.from.clone().unwrap_or_else(|| "the default number".to_owned());
        text.push_str(&format!("{INDENT}from {} instead of {}\n", from(now), from(then)));
    }
    text
}

fn face(label: &str, (then, now): (&Option<Face>, &Option<Face>), to: &ComparedMessage) -> String {
    if then.is_none() && now.is_none() {
        return String::new();
    }
    let none = Face::default();
    let (then, now) = (then.as_ref().unwrap_or(&none), now.as_ref().unwrap_or(&none));
    let marked = |then: &Option<String>, now: &Option<String>| {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(changed(&of(then), &of(now))).filter(|text| !text.is_empty())
    };
    let header = marked(&then.header, &now.header).map(|header| format!("*{header}*\n"));
    let buttons = changed(&then.buttons.join("\n"), &now.buttons.join("\n"));
    let message = Message {
        body: format!("{}{}", header.unwrap_or_default(), changed(&then.body, &now.body)),
        footer: marked(&then.footer, &now.footer),
        buttons: buttons.lines().map(|title| Button::reply(title, title)).collect(),
        ..Message::default()
    };
    let width = usize::from(Term::stdout().size().1).saturating_sub(INDENT.len());
    let label = if label.is_empty() { String::new() } else { format!("{INDENT}{label}:\n") };
    let shown = bubble(&name(to), &message, None, "", width);
    let lines: String = shown.lines().map(|line| format!("{INDENT}{line}\n")).collect();
    format!("{label}{lines}")
}

/// The text of now, with what is gone in `[-…-]` and what is new in `{+…+}`.
pub fn changed(then: &str, now: &str) -> String {
    let piece = |piece| match piece {
        Piece::Same(text) => text,
        Piece::Gone(text) => format!("[-{text}-]"),
        Piece::New(text) => format!("{{+{text}+}}"),
    };
    word_diff(then, now).into_iter().map(piece).collect()
}

fn name(of: &ComparedMessage) -> String {
    let name = [&of.name, &of.username].into_iter().flatten().next().unwrap_or(&of.recipient);
    format!("{} ({})", one_line(name), one_line(&of.reason))
}

/// When a message goes out, in words.
fn timing(of: &ComparedMessage) -> String {
    let timing = &of.timing;
    let parts = [
        timing.in_digest.then(|| "in a digest".to_owned()),
        timing.send_at.map(|at| format!("not before {at}")),
        timing.expires_at.map(|at| format!("not after {at}")),
        timing.hours.as_ref().map(|hours| format!("in the hours {hours}")),
        (timing.priority != "normal").then(|| format!("with priority {}", timing.priority)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "at once".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn what_is_gone_and_what_is_new_is_marked() {
        assert_eq!(changed("Order: 5 kVA", "Order: 6 kVA"), "Order: [-5-]{+6+} kVA");
        assert_eq!(changed("same", "same"), "same");
    }
}
