//! What the producers tell: which event is of which kind, whom it is for, and what must be decided about it. Pure.

use serde_json::{Value, json};

use crate::scale;

/// The users that are written to. Few, so that each has messages under way all the time; more where there are
/// thousands of events, so that Meta's pair limit (45 at once, then one in 6 seconds) does not decide how long it takes.
pub fn recipients() -> usize {
    scale::pick(40, 160)
}

/// Sends STOP, and stays away.
pub const LEAVES: usize = 36;
/// Sends STOP, later START.
pub const RETURNS: usize = 37;
/// Changes the number.
pub const MOVES: usize = 38;
/// Sends STOP, and changes the number afterwards.
pub const LEAVES_AND_MOVES: usize = 39;

/// Groups of four people; in the first four groups one of them is one of the four above. More where there are thousands of
/// events, as there are more recipients.
fn group_count() -> usize {
    scale::pick(4, 16)
}
/// Kinds come again after so many events: with no common divisor with the recipients, so that each gets each kind.
const CYCLE: usize = 27;
/// Two events in so many share a key.
const PAIR: usize = 2 * CYCLE;
/// Where in a cycle an alarm comes. It is called off two cycles later, if at all: mostly before its time, and not always.
const ALARM: usize = 22;
const CALLED_OFF_AFTER: usize = 2 * CYCLE;
/// How many messages each of those gets at most who may get no more.
pub const AT_MOST: usize = 3;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A message for one user, of this priority.
    Note(&'static str),
    /// A message for the people of a group.
    Group,
    /// A message that another event asks for too, with the same key.
    Pair,
    /// Something that is told together with others.
    Digest,
    /// A message that waits for its time.
    Later,
    /// A message that expires before its time comes.
    Expiring,
    /// A message with a file of the rules.
    Filed,
    /// A message at once, and another one to somebody else later, unless it is called off before.
    Alarm,
    /// Calls an alarm off.
    CallOff,
    /// A message to somebody who gets a few of them at most.
    Limited,
    /// A rule says that nobody need know.
    Nobody,
    /// No rule is for it.
    Unrouted,
    /// The rule fails.
    Failing,
}

pub fn kind(n: usize) -> Kind {
    match n % CYCLE {
        0..8 => Kind::Note("normal"),
        8..10 => Kind::Note("urgent"),
        10..12 => Kind::Note("bulk"),
        12 | 13 => Kind::Group,
        14 => Kind::Pair,
        15 => Kind::Digest,
        16 => Kind::Later,
        17 => Kind::Expiring,
        18 => Kind::Nobody,
        19 => Kind::Unrouted,
        20 => Kind::Failing,
        ALARM => Kind::Alarm,
        23 if called_off(n).is_some() => Kind::CallOff,
        23 => Kind::Note("normal"),
        24 | 25 => Kind::Limited,
        _ => Kind::Filed,
    }
}

impl Kind {
    /// What is recorded as decided; of a pair the second is a duplicate.
    pub fn outcomes(self) -> &'static [&'static str] {
        match self {
            Kind::Note(_) | Kind::Group | Kind::Later | Kind::Expiring => &["notify"],
            Kind::Filed | Kind::Alarm | Kind::Limited => &["notify"],
            Kind::CallOff => &["cancel"],
            Kind::Pair => &["notify", "duplicate"],
            Kind::Digest => &["collected"],
            Kind::Nobody => &["skip"],
            Kind::Unrouted => &["no_route"],
            Kind::Failing => &["failed"],
        }
    }

    /// How many decisions there are about it.
    pub fn decisions(self) -> usize {
        if self == Kind::Alarm { 2 } else { 1 }
    }
}

/// Who gets a message of their own from an event, at once.
pub fn told(n: usize) -> Vec<usize> {
    match kind(n) {
        Kind::Note(_) | Kind::Later | Kind::Expiring | Kind::Filed => vec![n % recipients()],
        Kind::Pair => vec![(n / PAIR) % LEAVES],
        Kind::Group => members(n % group_count()),
        Kind::Alarm => vec![n % LEAVES],
        // Few, so that there are more messages for each than they get.
        Kind::Limited => vec![n % scale::pick(2, 20)],
        Kind::Digest | Kind::Nobody | Kind::Unrouted | Kind::Failing | Kind::CallOff => vec![],
    }
}

/// What comes of an alarm that is not called off: who gets it, and its text.
pub fn escalation(n: usize) -> Option<(usize, String)> {
    (kind(n) == Kind::Alarm).then(|| ((n + 1) % LEAVES, format!("Escalation {n}")))
}

/// All messages of an event: who gets each, and its text.
pub fn messages(n: usize) -> impl Iterator<Item = (usize, String)> {
    told(n).into_iter().map(move |who| (who, text(n))).chain(escalation(n))
}

/// The alarm that an event calls off.
pub fn called_off(n: usize) -> Option<usize> {
    let cycle = n / CYCLE;
    // One in three is not called off.
    let alarm = || n / CYCLE * CYCLE + ALARM - CALLED_OFF_AFTER;
    (n % CYCLE == ALARM + 1 && cycle >= 2 && cycle % 3 != 2).then(alarm)
}

/// The event that calls an alarm off.
pub fn call_off(alarm: usize) -> Option<usize> {
    let n = alarm + CALLED_OFF_AFTER + 1;
    (called_off(n) == Some(alarm)).then_some(n)
}

/// The text of an event's messages.
pub fn text(n: usize) -> String {
    match kind(n) {
        Kind::Pair => format!("Pair {}", n / PAIR),
        _ => format!("Note {n}"),
    }
}

/// Whether the message with this text has a file.
pub fn has_file(text: &str) -> bool {
    let n = text.strip_prefix("Note ").and_then(|n| n.parse().ok());
    n.is_some_and(|n| kind(n) == Kind::Filed)
}

/// The line whose order is kept, by its subject and priority; none where messages wait for their time.
pub fn line(n: usize) -> Option<(String, &'static str)> {
    match kind(n) {
        Kind::Note(priority) => Some((subject(n), priority)),
        Kind::Filed => Some((subject(n), "normal")),
        Kind::Group => Some((subject(n), "normal")),
        _ => None,
    }
}

fn subject(n: usize) -> String {
    match kind(n) {
        Kind::Group => format!("group-{}", n % group_count()),
        _ => format!("recipient-{}", n % recipients()),
    }
}

/// The people of a group.
pub fn members(group: usize) -> Vec<usize> {
    match group {
        0..4 => vec![3 * group, 3 * group + 1, 3 * group + 2, LEAVES + group],
        _ => (0..4).map(|n| LEAVES_AND_MOVES + 1 + 4 * (group - 4) + n).collect(),
    }
}

/// All groups with their people.
pub fn groups() -> impl Iterator<Item = (String, Vec<usize>)> {
    (0..group_count()).map(|group| (group_name(group), members(group)))
}

fn group_name(group: usize) -> String {
    format!("Group {group}")
}

pub fn username(who: usize) -> String {
    format!("person-{who}")
}

/// The number at which a user is reached.
pub fn number(who: usize) -> String {
    format!("1555000{who:04}")
}

/// The number to which a user changes.
pub fn new_number(who: usize) -> String {
    format!("1555900{who:04}")
}

/// Whose number this is or was.
pub fn who(number: &str) -> Option<usize> {
    let digits = number.strip_prefix("1555000").or_else(|| number.strip_prefix("1555900"))?;
    digits.parse().ok()
}

/// The event's id; the producer says its number, nothing else does.
pub fn id(n: usize) -> String {
    format!("event-{n}")
}

/// The number that an id says.
pub fn number_of(id: &str) -> Option<usize> {
    id.strip_prefix("event-")?.parse().ok()
}

/// The numbers of the events that a digest's text tells.
pub fn items(text: &str) -> Option<Vec<usize>> {
    let items = text.strip_prefix("Digest")?;
    Some(items.split_whitespace().filter_map(|n| n.parse().ok()).collect())
}

/// The event as it is posted. `moved`: users who changed their number are known under the new one.
pub fn event(n: usize, now: jiff::Timestamp, moved: bool) -> Value {
    let mut data = json!({"template": "note", "context": {"text": text(n)}});
    for who in told(n) {
        address(&mut data, n, who, moved);
    }
    let mut of_type = "told";
    match kind(n) {
        Kind::Note(priority) => data["priority"] = priority.into(),
        Kind::Group => {
            data = with(data, json!({"groups": [group_name(n % group_count())], "users": [], "contacts": []}))
        }
        Kind::Pair => data["dedupe_key"] = format!("pair-{}", n / PAIR).into(),
        Kind::Digest => {
            let to = number(20 + n % 2);
            data = json!({"template": "digest", "context": {"n": n}, "contacts": [to], "collect": "2s by group"});
        }
        Kind::Later => data["after"] = "1s".into(),
        Kind::Expiring => {
            let expires_at = now + jiff::SignedDuration::from_secs(1);
            data = with(data, json!({"after": "2s", "expires_at": expires_at.to_string()}));
        }
        Kind::Filed => data["template"] = "filed".into(),
        Kind::Alarm => {
            let (who, text) = escalation(n).unwrap_or_default();
            let later = json!({
                "template": "note", "context": {"text": text}, "contacts": [number(who)], "key": id(n),
                "after": if n.is_multiple_of(2) { "1s" } else { "2s" },
            });
            data = json!({"decisions": [data, later]});
        }
        Kind::CallOff => data = json!({"cancel": called_off(n).map(id)}),
        Kind::Limited => {
            data = with(data, json!({"template": "limited", "at_most": format!("{AT_MOST} per 1d")}));
        }
        Kind::Nobody => data = json!({"skip": true}),
        Kind::Unrouted => of_type = "untold",
        Kind::Failing => data = json!({"fail": true}),
    }
    json!({
        "id": id(n), "source": "/faults", "type": of_type, "subject": subject(n), "time": now.to_string(),
        "data": data,
    })
}

/// By name or by number, in turns; by the old number too when there is a new one.
fn address(data: &mut Value, n: usize, who: usize, moved: bool) {
    let turn = n / recipients() % 3;
    let has_name = groups().any(|(_, members)| members.contains(&who));
    let (key, address) = match turn {
        0 if has_name => ("users", username(who)),
        1 if moved && (MOVES..=LEAVES_AND_MOVES).contains(&who) => ("contacts", new_number(who)),
        _ => ("contacts", number(who)),
    };
    data[key] = json!([address]);
}

fn with(mut data: Value, more: Value) -> Value {
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    data
}
