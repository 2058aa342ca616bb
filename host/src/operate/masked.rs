//! What is shown to those who may not see numbers and texts.

use hookswitch_core::domain::{Decision, is_user_id};
use serde_json::{Value, value::RawValue};

use crate::{
    check::{Finding, Report},
    store::{Action, EventHistory, EventPage, ListedEvent, NotificationHistory},
};

/// So many digits in a row may be a number that somebody can be called at: E.164 has 7 to 15.
const DIGITS: usize = 7;

/// A number or a user id of which the last four characters are shown.
pub fn masked(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let last = &characters[characters.len().saturating_sub(4).max(characters.len().min(2))..];
    format!("…{}", last.iter().collect::<String>())
}

/// A text in which of each number the last four digits are shown.
pub fn with_masked_numbers(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (digits, after) = from.split_at(end);
        let is_number = digits.len() >= DIGITS;
        shown.push_str(if is_number { before.strip_suffix('+').unwrap_or(before) } else { before });
        if is_number {
            shown.push_str(&masked(digits));
        } else {
            shown.push_str(digits);
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// The result of a check without numbers.
pub fn report_without_personal(report: &Report) -> Report {
    let mut report = report.clone();
    for section in &mut report.sections {
        section.summary = with_masked_numbers(&section.summary);
        for fact in &mut section.facts {
            fact.name = with_masked_numbers(&fact.name);
            fact.value = with_masked_numbers(&fact.value);
        }
        for Finding { subject, what, details, command, advice, .. } in &mut section.findings {
            *what = with_masked_numbers(what);
            details.iter_mut().for_each(|detail| *detail = with_masked_numbers(detail));
            [subject, command, advice].into_iter().for_each(mask);
        }
    }
    report
}

/// Masks the numbers in a text.
pub fn mask(text: &mut Option<String>) {
    *text = text.take().map(|text| with_masked_numbers(&text));
}

/// Masks a recipient, and takes the name of one who is not of the staff.
pub fn hide_recipient(username: Option<&str>, name: &mut Option<String>, recipient: &mut Option<String>) {
    *recipient = recipient.take().map(|recipient| masked(&recipient));
    if username.is_none() {
        *name = None;
    }
}

/// A page of events without the numbers.
pub fn events_without_personal(mut page: EventPage) -> EventPage {
    for ListedEvent { subject, reason, .. } in &mut page.data {
        mask(subject);
        mask(reason);
    }
    page
}

/// The history of an event without numbers, texts, and what the event says.
pub fn history_without_personal(mut history: EventHistory) -> EventHistory {
    mask(&mut history.event.subject);
    history.event.data = RawValue::NULL.to_owned();
    history.event.extensions = None;
    for decision in &mut history.decisions {
        mask(&mut decision.reason);
        decision.decision =
            decision.decision.take().and_then(|decision| decision_without_personal(&decision));
        decision.asked = None;
        decision.notifications.iter_mut().for_each(hide_personal);
    }
    history
}

/// Takes from a notification its text, the numbers, and the name of somebody who is not of the staff.
pub fn hide_personal(notification: &mut NotificationHistory) {
    let NotificationHistory { username, name, recipient, .. } = notification;
    hide_recipient(username.as_deref(), name, recipient);
    notification.message = None;
    notification.key = None;
    notification.reason = with_masked_numbers(&notification.reason);
    notification.actions.iter_mut().for_each(hide_chosen);
    if let Some(end) = &mut notification.dead_letter {
        mask(&mut end.reason);
    }
    if let Some(waits) = &mut notification.waits {
        mask(&mut waits.stopped);
    }
    for delivery in &mut notification.deliveries {
        // Meta's ids contain the number of the recipient.
        delivery.wamid = delivery.wamid.take().map(|wamid| masked(&wamid));
        mask(&mut delivery.detail);
    }
}

/// Masks numbers in what an operator chose messages by, and in the reason.
fn hide_chosen(action: &mut Action) {
    mask(&mut action.reason);
    let Ok(mut what) = serde_json::from_str::<Value>(action.what.get()) else { return };
    if let Some(Value::String(person)) = what.get_mut("person") {
        *person = if is_user_id(person) { masked(person) } else { with_masked_numbers(person) };
        action.what = serde_json::value::to_raw_value(&what).unwrap_or_else(|_| RawValue::NULL.to_owned());
    }
}

/// Whom a decision is for, by groups and usernames, and how; `None` for one that cannot be read.
fn decision_without_personal(decision: &RawValue) -> Option<Box<RawValue>> {
    let all: Decision = serde_json::from_str(decision.get()).ok()?;
    serde_json::value::to_raw_value(&decision_for_all(all)).ok()
}

/// Whom a decision is for, by groups and usernames, and how.
pub fn decision_for_all(all: Decision) -> Decision {
    Decision {
        template: all.template,
        groups: all.groups,
        users: all.users,
        contacts: all.contacts.iter().map(|contact| masked(contact)).collect(),
        otherwise: all.otherwise.map(|mut others| {
            others.contacts = others.contacts.iter().map(|contact| masked(contact)).collect();
            others
        }),
        send: all.send,
        expires_at: all.expires_at,
        at_most: all.at_most,
        hours: all.hours,
        priority: all.priority,
        mode: all.mode,
        language: all.language,
        reply: all.reply,
        from: all.from,
        reason: all.reason.map(|reason| with_masked_numbers(&reason)),
        // What it says, and what is made of that: keys, and the message that it answers.
        ..Decision::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_number_is_shown() {
        assert_eq!(masked("263770000001"), "…0001");
        assert_eq!(masked("12"), "…");
    }

    #[test]
    fn of_a_decision_whom_it_is_for_and_how_is_shown() {
        let all = r#"{"template":"note","groups":["Ops"],"contacts":["263770000001"],"context":{"n":"263770000001"},
            "dedupe_key":"263770000001","priority":"urgent","reply":true,"reply_to":"wamid.263770000001",
            "reason":"263770000001 called","language":"pt_BR"}"#;
        let all = RawValue::from_string(all.to_owned()).ok();
        let shown = r#"{"template":"note","groups":["Ops"],"contacts":["…0001"],"priority":"urgent","language":"pt_BR","reply":true,"reason":"…0001 called"}"#;
        let of_all = all.and_then(|all| decision_without_personal(&all));
        assert_eq!(of_all.as_deref().map(RawValue::get), Some(shown));
    }

    #[test]
    fn numbers_in_texts_are_masked_and_nothing_else() {
        for (text, shown) in [
            ("", ""),
            ("order 4711", "order 4711"),
            ("+263770000001", "…0001"),
            ("contact +263770000001, 12:30", "contact …0001, 12:30"),
            ("a 2637700 b 123456 c+", "a …7700 b 123456 c+"),
            ("né 15550100001é", "né …0001é"),
        ] {
            assert_eq!(with_masked_numbers(text), shown);
        }
    }
}
