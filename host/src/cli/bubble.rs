//! A message as a WhatsApp bubble in the terminal. `console` leaves styles out where stdout is no terminal.

use std::borrow::Cow;

use console::{Style, StyledObject, measure_text_width, style, truncate_str};
use hookswitch_core::domain::{Button, Message, Mode, Status, visible, visible_line};
use textwrap::{Options, WordSplitter, wrap};

use crate::operate::next_mark;

/// Wider than this a phone shows no bubble.
const WIDEST: usize = 52;

/// The bubble of a message to somebody, with its time and ticks; at most `width` columns wide.
pub fn bubble(to: &str, message: &Message, status: Option<Status>, time: &str, width: usize) -> String {
    let inner = width.saturating_sub(4).clamp(20, WIDEST);
    // A word cut at its hyphen would leave its style on in the border.
    let options = Options::new(inner).word_splitter(WordSplitter::NoHyphenation);
    let mut lines: Vec<String> = Vec::new();
    if let Some(header) = &message.header {
        let header = visible_line(&header.shown()).into_owned();
        lines.extend(wrap(&header, options.clone()).into_iter().map(|part| style(part).bold().to_string()));
    }
    for line in visible(&message.body).lines() {
        lines.extend(laid_out(line, options.clone()));
    }
    if let Some(footer) = &message.footer {
        lines.extend(
            wrap(&visible_line(footer), Options::new(inner))
                .into_iter()
                .map(|part| style(part).dim().to_string()),
        );
    }
    let end =
        [time.to_owned(), ticks(status)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    // Styled, nothing would be a row too.
    let end = if end.is_empty() { String::new() } else { style(end.join(" ")).dim().to_string() };
    let mut widest = lines.iter().map(|line| measure_text_width(line)).max().unwrap_or(0);
    for button in &message.buttons {
        let rows = button.rows().into_iter().map(|row| measure_text_width(&row));
        widest = rows.fold(widest, usize::max).max(measure_text_width(&button_line(button)) + 2);
    }
    let widest = widest.max(measure_text_width(&end)).min(inner);
    let border = Style::new().green();
    let mut text = format!("{} {}\n", style("to").dim(), style(visible_line(to)).bold());
    let rule = |left: &str, right: &str| {
        border.apply_to(format!("{left}{}{right}", "─".repeat(widest + 2))).to_string()
    };
    let row = |content: &str, padding: usize| {
        format!("{} {content}{} {}\n", border.apply_to("│"), " ".repeat(padding), border.apply_to("│"))
    };
    text.push_str(&format!("{}\n", rule("╭", "╮")));
    for line in &lines {
        text.push_str(&row(line, widest.saturating_sub(measure_text_width(line))));
    }
    if !end.is_empty() {
        let before = " ".repeat(widest.saturating_sub(measure_text_width(&end)));
        text.push_str(&row(&format!("{before}{end}"), 0));
    }
    for button in &message.buttons {
        text.push_str(&format!("{}\n", rule("├", "┤")));
        let line = button_line(button);
        let title = truncate_str(&line, widest, "…");
        let free = widest.saturating_sub(measure_text_width(&title));
        let content = format!("{}{}", " ".repeat(free / 2), style(&title).cyan());
        text.push_str(&row(&content, free - free / 2));
        for line in button.rows() {
            let line = visible_line(&line);
            let line = truncate_str(&line, widest, "…");
            let free = widest.saturating_sub(measure_text_width(&line));
            text.push_str(&row(&style(&line).dim().to_string(), free));
        }
    }
    text.push_str(&rule("╰", "╯"));
    text
}

/// A button with what it opens, calls or copies.
fn button_line(button: &Button) -> String {
    let title = visible_line(&button.title);
    match button.target() {
        None => format!("{} {title}", button.mark()),
        Some(value) => format!("{} {title} · {}", button.mark(), visible_line(value)),
    }
}

/// What people can read of a message, each line after `indent`: in an open window, and outside of it as a Meta template.
pub fn faces(message: &Message, width: usize, indent: &str) -> String {
    let mut text = String::new();
    let mut tell = |line: &str| text.push_str(&format!("{indent}{line}\n"));
    let (in_window, at_meta) = (message.in_window(), message.as_template());
    let as_template = format!("as the Meta template {}", message.template);
    let label = |words: &str| style(words.to_owned()).dim().to_string();
    let (open, closed) = match message.mode {
        Mode::Text => (Some(in_window), None),
        Mode::Template => (None, Some(at_meta)),
        Mode::Auto if in_window.reads_as(&at_meta) => (Some(in_window), None),
        Mode::Auto => (Some(in_window), Some(at_meta)),
    };
    if let Some(open) = &open {
        if closed.is_some() {
            tell(&label("in an open 24-hour window:"));
        }
        bubble("", open, None, "", width).lines().skip(1).for_each(&mut tell);
    }
    if let Some(closed) = &closed {
        tell(&label(&if open.is_some() {
            format!("outside of it, {as_template}:")
        } else {
            format!("{as_template}:")
        }));
        bubble("", closed, None, "", width).lines().skip(1).for_each(&mut tell);
    } else if message.mode == Mode::Auto {
        tell(&label(&format!("outside the 24-hour window: the same text, {as_template}")));
    }
    text
}

fn ticks(status: Option<Status>) -> String {
    match status {
        None
        | Some(Status::Queued | Status::Deferred | Status::Sending | Status::Unknown | Status::Retrying) => {
            String::new()
        }
        Some(Status::Accepted | Status::Held | Status::Sent) => "✓".to_owned(),
        Some(Status::Delivered) => "✓✓".to_owned(),
        Some(Status::Read | Status::Played) => style("✓✓").cyan().bright().to_string(),
        Some(Status::Failed | Status::Skipped | Status::Expired) => style("!").red().to_string(),
    }
}

/// A line of the text, wrapped; a quote has a bar before it, an item a bullet, as WhatsApp shows them.
fn laid_out(line: &str, options: Options<'_>) -> Vec<String> {
    let item = || line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
    let (first, next, text) = match (line.strip_prefix("> "), item()) {
        (Some(quote), _) => ("▎ ", "▎ ", quote),
        (None, Some(item)) => ("• ", "  ", item),
        (None, None) => ("", "", line),
    };
    let options = options.initial_indent(first).subsequent_indent(next);
    wrap(&formatted(text), options).into_iter().map(Cow::into_owned).collect()
}

/// WhatsApp's `*bold*`, `_italic_`, `~strike~`, `` `mono` `` and `` ```mono``` `` as the terminal shows them.
fn formatted(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, mark, inside, after)) = next_mark(rest) {
        text.push_str(before);
        let inside = if mark == '`' { inside.to_owned() } else { formatted(inside) };
        // Word by word: a line may end within.
        let words = inside.split(' ').map(|word| marked(mark, word).to_string());
        text.push_str(&words.collect::<Vec<_>>().join(" "));
        rest = after;
    }
    text.push_str(rest);
    text
}

fn marked(mark: char, word: &str) -> StyledObject<&str> {
    match mark {
        '*' => style(word).bold(),
        '_' => style(word).italic(),
        '~' => style(word).strikethrough(),
        _ => style(word).cyan(),
    }
}

#[cfg(test)]
mod tests {
    use hookswitch_core::domain::{Action, Row, Section};

    use super::*;

    fn message(body: &str) -> Message {
        Message { body: body.to_owned(), ..Message::default() }
    }

    #[test]
    fn a_bubble_holds_text_footer_buttons_time_and_ticks() {
        let message = Message {
            footer: Some("Hanna Solar".to_owned()),
            buttons: vec![Button::reply("claim", "Claim it")],
            ..message("*New order* SO-7\n\nCustomer: Tendai Moyo of the long street that goes on and on")
        };
        insta::assert_snapshot!(
            console::strip_ansi_codes(&bubble("Ada (263770000001)", &message, Some(Status::Read), "09:41", 40)),
            @r"
        to Ada (263770000001)
        ╭───────────────────────────────────╮
        │ New order SO-7                    │
        │                                   │
        │ Customer: Tendai Moyo of the long │
        │ street that goes on and on        │
        │ Hanna Solar                       │
        │                          09:41 ✓✓ │
        ├───────────────────────────────────┤
        │            ↩ Claim it             │
        ╰───────────────────────────────────╯
        "
        );
    }

    #[test]
    fn a_list_shows_its_rows() {
        let row = |id: &str, title: &str, description: Option<&str>| Row {
            id: id.to_owned(),
            title: title.to_owned(),
            description: description.map(str::to_owned),
        };
        let rows = vec![row("am", "Morning", Some("8 to 12")), row("pm", "Afternoon", None)];
        let action = Action::List(vec![Section { title: Some("Monday".to_owned()), rows }]);
        let buttons = vec![Button { title: "Choose a time".to_owned(), action, suffix: None }];
        let bubble = bubble("Ada", &Message { buttons, ..message("When?") }, None, "", 40);
        insta::assert_snapshot!(console::strip_ansi_codes(&bubble), @r"
        to Ada
        ╭───────────────────╮
        │ When?             │
        ├───────────────────┤
        │  ≡ Choose a time  │
        │ Monday:           │
        │ Morning · 8 to 12 │
        │ Afternoon         │
        ╰───────────────────╯
        ");
    }

    #[test]
    fn marks_within_words_and_lonely_marks_stay() {
        let plain = |text: &str| console::strip_ansi_codes(&formatted(text)).into_owned();
        assert_eq!(plain("snake_case_name 2*3*4 * _"), "snake_case_name 2*3*4 * _");
        assert_eq!(plain("*_both_* ~gone~ `code`"), "both gone code");
        assert_eq!(plain("a * b * c"), "a * b * c");
        assert_eq!(plain("run ```ls -l *.rs``` now"), "run ls -l *.rs now");
    }

    #[test]
    fn marks_become_the_terminals_styles() {
        let styled = |mark| marked(mark, "x").force_styling(true).to_string();
        assert_eq!(
            ['*', '_', '~', '`'].map(styled),
            [1, 3, 9, 36].map(|code| format!("\x1b[{code}mx\x1b[0m"))
        );
    }

    #[test]
    fn ticks_tell_how_far_a_message_is() {
        let tell = |status| console::strip_ansi_codes(&ticks(status)).into_owned();
        let of = |statuses: &[Status]| statuses.iter().map(|s| tell(Some(*s))).collect::<Vec<_>>();
        assert_eq!(of(&[Status::Queued, Status::Sending, Status::Retrying]), ["", "", ""]);
        assert_eq!(of(&[Status::Accepted, Status::Sent]), ["✓", "✓"]);
        assert_eq!(of(&[Status::Delivered, Status::Read]), ["✓✓", "✓✓"]);
        assert_eq!(of(&[Status::Failed, Status::Expired]), ["!", "!"]);
    }

    #[test]
    fn quotes_and_lists_look_like_it() {
        let body = "The bot last said:\n> I am sorry, I cannot change a *delivery* date.\n\n- 2 x Panel\n* 1 x Lithium battery with a long name";
        let bubble = bubble("Ada", &message(body), Some(Status::Sent), "09:41", 32);
        insta::assert_snapshot!(console::strip_ansi_codes(&bubble), @r"
        to Ada
        ╭──────────────────────────────╮
        │ The bot last said:           │
        │ ▎ I am sorry, I cannot       │
        │ ▎ change a delivery date.    │
        │                              │
        │ • 2 x Panel                  │
        │ • 1 x Lithium battery with a │
        │   long name                  │
        │                      09:41 ✓ │
        ╰──────────────────────────────╯
        ");
    }

    #[test]
    fn formatting_goes_on_over_the_end_of_a_line() {
        let bubble = bubble("Ada", &message("*a heading that is longer than the line* ok"), None, "", 30);
        insta::assert_snapshot!(console::strip_ansi_codes(&bubble), @r"
        to Ada
        ╭──────────────────────────╮
        │ a heading that is longer │
        │ than the line ok         │
        ╰──────────────────────────╯
        ");
    }

    #[test]
    fn both_faces_are_shown_where_they_differ() {
        let message = Message {
            meta_body: Some("Two items: a · b".to_owned()),
            template: "items".to_owned(),
            ..message("Two items:\na\nb")
        };
        let faces = |message: &Message| console::strip_ansi_codes(&faces(message, 40, " ")).into_owned();
        insta::assert_snapshot!(faces(&message));
        assert!(!faces(&Message { mode: Mode::Text, ..message.clone() }).contains("template"));
        let only = faces(&Message { mode: Mode::Template, ..message.clone() });
        assert!(only.starts_with(" as the Meta template items:\n") && !only.contains("│ a "), "{only}");
        let same = faces(&Message { meta_body: None, ..message.clone() });
        assert!(
            same.ends_with(" outside the 24-hour window: the same text, as the Meta template items\n"),
            "{same}"
        );
    }
}
