//! The report of a replay in Markdown, for a comment on a change. It is bounded, and what comes from events, people and texts is
//! shown as it is, not as Markdown.

use std::{collections::BTreeMap, fmt::Write as _};

use hookswitch_core::{
    compare::{ChangeKind, ComparedMessage},
    domain::{Face, is_visible},
};

use super::print::{changed, counted, whys};
use crate::operate::{ReplayChanges, ReplayEvent, ReplayExample, ReplayReport, ReplayTotals, ThenNow};

/// Rows of a table, at most.
const ROWS: usize = 20;
/// Examples, at most.
const EXAMPLES: usize = 8;
/// Length of a text in an example, at most, in characters.
const TEXT: usize = 1_500;
/// Length of a name, at most, in characters.
const NAME: usize = 100;

/// The summary: what is tried, of which events, what changes, and examples.
pub fn summary(tried: &str, which: &str, totals: &ReplayTotals, report: &ReplayReport) -> String {
    let mut text = String::new();
    let events = counted(totals.events, "event", "events");
    let _ = writeln!(text, "### Hookswitch: {}\n", verdict(totals));
    let _ = writeln!(
        text,
        "{events} {which}, by {tried}: {}. Messages: {} then, {} now.\n",
        changed(totals),
        totals.then,
        totals.now
    );
    lines(&mut text, totals, report);
    table(&mut text, "Messages by template", &report.templates);
    table(&mut text, "Messages by rule", &report.rules);
    table(&mut text, "Decisions by group", &report.groups);
    if let Some(cost) = &report.cost {
        let sum = |of: &BTreeMap<String, f64>| of.values().sum::<f64>();
        let (then, now) = (sum(&cost.then), sum(&cost.now));
        let currency = &cost.currency;
        let _ = writeln!(
            text,
            "As templates, the messages that differ cost {then:.2} {currency} then and {now:.2} {currency} now.\n"
        );
    }
    if !report.examples.is_empty() {
        let _ = writeln!(text, "<details><summary>Examples</summary>\n");
        for shown in report.examples.iter().take(EXAMPLES) {
            example(&mut text, shown);
        }
        let _ = writeln!(text, "</details>\n");
    }
    text
}

fn verdict(totals: &ReplayTotals) -> String {
    match (totals.has_changes(), totals.changed) {
        (false, _) => "no message changes".to_owned(),
        (true, 0) => "only conditions change".to_owned(),
        (true, number) => format!("something changes for {}", counted(number, "event", "events")),
    }
}

fn lines(text: &mut String, totals: &ReplayTotals, report: &ReplayReport) {
    let mut all: Vec<String> = Vec::new();
    let mut changes = |of: &ReplayChanges, one: &str, many: &str| {
        let of = ChangeKind::ALL.into_iter().map(|kind| (of.of(kind), kind));
        all.extend(
            of.filter(|(number, _)| *number > 0)
                .map(|(number, kind)| format!("**{}** {kind}", counted(number, one, many))),
        );
    };
    changes(&totals.changes, "message", "messages");
    changes(&totals.digest_changes, "message collected for a digest", "messages collected for digests");
    let mut events = |number: u64, what: &str, named: &[ReplayEvent]| {
        if number > 0 {
            all.push(format!("**{}** {what}", counted(number, "event", "events")));
            all.extend(named.iter().map(|event| {
                let why = event.reason.as_deref().map(|why| format!(": {}", code(why))).unwrap_or_default();
                format!("  {} {}{why}", code(&event.kind), code(&event.id))
            }));
        }
    };
    events(totals.newly_failing, "whose rules fail now", &report.newly_failing);
    events(totals.no_longer_failing, "whose rules failed then and do not now", &[]);
    events(totals.newly_silent, "of which no message comes now", &report.newly_silent);
    events(totals.no_longer_silent, "of which messages come now and none came then", &[]);
    let conditions = "with other conditions (`at_most`, `key`, `cancel`), whose effect is not known";
    events(totals.other_conditions, conditions, &[]);
    let uncompared = whys(&totals.not_compared);
    all.extend(
        uncompared
            .map(|(number, why)| format!("**{}** not compared: {why}", counted(number, "event", "events"))),
    );
    for line in &all {
        let _ = match line.strip_prefix("  ") {
            Some(line) => writeln!(text, "  - {line}"),
            None => writeln!(text, "- {line}"),
        };
    }
    if !all.is_empty() {
        text.push('\n');
    }
}

fn table(text: &mut String, name: &str, of: &BTreeMap<String, ThenNow>) {
    let rows: Vec<_> = of.iter().filter(|(_, count)| count.then != count.now).collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "| {name} | then | now |\n|---|--:|--:|");
    for (name, count) in rows.iter().take(ROWS) {
        let name = if name.is_empty() { "no rule".to_owned() } else { code(name).replace('|', "\\|") };
        let _ = writeln!(text, "| {name} | {} | {} |", count.then, count.now);
    }
    if rows.len() > ROWS {
        let _ = writeln!(text, "| {} more | | |", rows.len() - ROWS);
    }
    text.push('\n');
}

fn example(text: &mut String, of: &ReplayExample) {
    let Some(shown) = of.now.as_ref().or(of.then.as_ref()) else { return };
    let _ = writeln!(
        text,
        "**{}**: {} of {} ({}), to {}\n",
        of.change,
        code(&shown.template),
        code(&of.event.kind),
        code(&of.event.id),
        to(of, shown)
    );
    let (then, now) = (words(of.then.as_ref()), words(of.now.as_ref()));
    let mut lines = String::new();
    for change in similar::TextDiff::from_lines(&then, &now).iter_all_changes() {
        let sign = match change.tag() {
            similar::ChangeTag::Delete => '-',
            similar::ChangeTag::Insert => '+',
            similar::ChangeTag::Equal => ' ',
        };
        let _ = writeln!(lines, "{sign} {}", change.value().trim_end_matches('\n'));
    }
    let fence = fence(&lines);
    let _ = writeln!(text, "{fence}diff\n{lines}{fence}\n");
}

/// Who gets it; where others do, who got it.
fn to(of: &ReplayExample, shown: &ComparedMessage) -> String {
    match (&of.then, &of.now) {
        (Some(then), Some(now)) if then.recipient != now.recipient => {
            format!("{} instead of {}", code(name(now)), code(name(then)))
        }
        _ => code(name(shown)),
    }
}

fn name(of: &ComparedMessage) -> &str {
    of.name.as_deref().or(of.username.as_deref()).unwrap_or(&of.recipient)
}

/// What people read, and when.
fn words(of: Option<&ComparedMessage>) -> String {
    let Some(of) = of else { return String::new() };
    let mut text = String::new();
    match (&of.in_window, &of.as_template) {
        (Some(in_window), Some(as_template)) if in_window != as_template => {
            face(&mut text, in_window);
            text.push_str("Outside of the 24-hour window:\n");
            face(&mut text, as_template);
        }
        (Some(shown), _) | (None, Some(shown)) => face(&mut text, shown),
        (None, None) => {}
    }
    let timing = &of.timing;
    let times = [
        timing.send_at.map(|at| format!("not before {at}")),
        timing.expires_at.map(|at| format!("not after {at}")),
        timing.hours.as_ref().map(|hours| format!("in the hours {hours}")),
        (timing.priority != "normal").then(|| format!("with priority {}", timing.priority)),
    ];
    for time in times.into_iter().flatten() {
        let _ = writeln!(text, "({time})");
    }
    text
}

fn face(text: &mut String, face: &Face) {
    let parts = [face.header.as_deref(), Some(face.body.as_str()), face.footer.as_deref()];
    for part in parts.into_iter().flatten() {
        text.push_str(&cut(part, TEXT));
        text.push('\n');
    }
    for button in &face.buttons {
        let _ = writeln!(text, "[{}]", cut(button, NAME));
    }
}

/// A text in one line, shown as it is.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if is_visible(c) { c } else { ' ' }).collect();
    let text = cut(text.trim(), NAME);
    let fence = "`".repeat(longest_run(&text) + 1);
    // Blanks keep a text that begins or ends with a backtick apart; Markdown takes one of each away.
    let pad = if text.is_empty() || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A fence that does not occur in the text.
fn fence(text: &str) -> String {
    "`".repeat(longest_run(text).max(2) + 1)
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{code, fence};

    #[test]
    fn what_comes_from_outside_is_no_markdown() {
        assert_eq!(code("order.created"), "`order.created`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`@all`"), "`` `@all` ``");
        assert_eq!(code("two\nlines"), "`two lines`");
        assert_eq!(fence("+ ```\n+ text"), "````");
    }
}
