//! Converts the answer of a rule from JSON to decisions: one contract for all engines, checked key by key.

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::{budget, value::said_of};
use crate::bounds::{REASON, cut};
use crate::domain::{
    AtMost, Cancel, Collect, CollectBy, Decision, MOST_CANCELLED, MOST_KEY, Mode, Otherwise, Outcome,
    Priority, SendTime, closest, did_you_mean, is_tag,
};
use crate::words::{duration, opening_hours, timestamp};

/// Keys of a decision, the common ones first.
pub const KEYS: [&str; 22] = [
    "template",
    "groups",
    "users",
    "contacts",
    "else",
    "context",
    "dedupe_key",
    "dedupe_for",
    "key",
    "cancel",
    "at_most",
    "collect",
    "send_at",
    "after",
    "hours",
    "expires_at",
    "priority",
    "mode",
    "language",
    "reply",
    "from",
    "reason",
];

/// The keys that name who receives a message.
pub const PEOPLE: [&str; 3] = ["groups", "users", "contacts"];

/// The keys of a decision with others before and after them, for the formats that have both. `N` is the total number.
pub const fn keys_between<const B: usize, const A: usize, const N: usize>(
    before: [&'static str; B],
    after: [&'static str; A],
) -> [&'static str; N] {
    assert!(N == B + KEYS.len() + A, "N must be the number of all keys");
    let mut all = [""; N];
    let mut n = 0;
    while n < N {
        all[n] = if n < B {
            before[n]
        } else if n < B + KEYS.len() {
            KEYS[n - B]
        } else {
            after[n - B - KEYS.len()]
        };
        n += 1;
    }
    all
}

/// Reads an answer: a map, or an array of maps. If `times_are_given`, a time whose key is there must have a value.
///
/// # Errors
/// Returns what is wrong and its path, for example `[1].groups: expected an array of strings, got a number`.
pub fn outcomes(answer: &Value, times_are_given: bool) -> Result<Vec<Outcome>, String> {
    match answer {
        Value::Object(map) => Ok(vec![outcome(map, "", times_are_given)?]),
        Value::Array(maps) if maps.is_empty() => {
            Err("the answer is an empty array; return skip(\"why\") to notify nobody".to_owned())
        }
        Value::Array(maps) if maps.len() > budget::DECISIONS => {
            Err(format!("{} decisions exceed the maximum of {}", maps.len(), budget::DECISIONS))
        }
        Value::Array(maps) => maps
            .iter()
            .enumerate()
            .map(|(index, item)| match item {
                Value::Object(map) => outcome(map, &format!("[{index}]"), times_are_given),
                other => Err(format!("[{index}]: expected a map, got {}", kind_of(other))),
            })
            .collect(),
        other => Err(format!(
            "expected a map, an array of maps or skip(\"why\"), got {}; the last expression of `decide` is its answer",
            kind_of(other)
        )),
    }
}

fn outcome(map: &Map<String, Value>, path: &str, times_are_given: bool) -> Result<Outcome, String> {
    if let Some(unknown) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("{}unknown key `{unknown}`: {}", said_of(path), did_you_mean(unknown, KEYS)));
    }
    let fields = Fields { map, path };
    let cancel = fields.cancelled()?;
    let Some(template) = fields.text("template")? else {
        return cancels(&fields, cancel).map(|cancel| Outcome::Cancel(Box::new(cancel)));
    };
    if times_are_given {
        for key in ["send_at", "expires_at"] {
            if map.contains_key(key) && fields.text(key)?.is_none() {
                return Err(format!("{}: expected a time, got nothing; {NO_TIME}", fields.at(key)));
            }
        }
    }
    let send = match (fields.text("send_at")?, fields.text("after")?) {
        (Some(_), Some(_)) => {
            return Err(format!("{}`send_at` and `after` cannot be used together", said_of(path)));
        }
        (Some(at), None) => Some(SendTime::SendAt(fields.parsed("send_at", timestamp(&at))?)),
        (None, Some(after)) => Some(SendTime::After(fields.parsed("after", duration(&after))?)),
        (None, None) => None,
    };
    let parse = |key: &str| fields.text(key);
    let key = parse("key")?;
    if let Some(why) = key.as_deref().and_then(wrong_key) {
        return Err(format!("{}: {why}", fields.at("key")));
    }
    if let Some(why) = excluded(|key| fields.says(key)) {
        return Err(format!("{}{why}", said_of(path)));
    }
    Ok(Outcome::Notify(Box::new(Decision {
        template,
        groups: fields.texts("groups")?,
        users: fields.texts("users")?,
        contacts: fields.texts("contacts")?,
        otherwise: fields.otherwise()?,
        context: match fields.get("context") {
            None => Default::default(),
            Some(Value::Object(context)) => context.clone().into_iter().collect(),
            Some(other) => return Err(fields.wrong("context", "a map", other)),
        },
        dedupe_key: parse("dedupe_key")?,
        dedupe_for: parse("dedupe_for")?
            .map(|time| fields.parsed("dedupe_for", duration(&time)))
            .transpose()?,
        key,
        cancel,
        at_most: parse("at_most")?.map(|words| fields.parsed("at_most", at_most(&words))).transpose()?,
        collect: parse("collect")?.map(|words| fields.parsed("collect", collect(&words))).transpose()?,
        send,
        hours: parse("hours")?.map(|text| fields.parsed("hours", hours(&text))).transpose()?,
        expires_at: parse("expires_at")?.map(|at| fields.parsed("expires_at", timestamp(&at))).transpose()?,
        priority: parse("priority")?
            .map(|word| fields.parsed("priority", priority(&word)))
            .transpose()?
            .unwrap_or_default(),
        mode: parse("mode")?.map(|word| fields.parsed("mode", mode(&word))).transpose()?,
        language: parse("language")?,
        reply: fields.flag("reply")?,
        reply_to: None,
        from: parse("from")?,
        reason: parse("reason")?.map(|reason| cut(&reason, REASON)),
    })))
}

/// An answer without a template: it withdraws messages and sends none.
fn cancels(fields: &Fields<'_>, cancel: Vec<String>) -> Result<Cancel, String> {
    let said = said_of(fields.path);
    if cancel.is_empty() {
        return Err(match fields.map.contains_key("cancel") {
            true => format!("{}: expected a key, got nothing", fields.at("cancel")),
            false => format!("{said}`template` is missing"),
        });
    }
    if let Some(other) =
        KEYS.into_iter().filter(|key| !["cancel", "reason"].contains(key)).find(|key| fields.says(key))
    {
        return Err(format!("{said}`{other}` needs a `template`"));
    }
    Ok(Cancel { cancel, reason: fields.text("reason")?.map(|reason| cut(&reason, REASON)) })
}

/// What is wrong with a key by which messages are withdrawn, if anything.
pub fn wrong_key(key: &str) -> Option<String> {
    let length = key.chars().count();
    (length > MOST_KEY).then(|| format!("a key has at most {MOST_KEY} characters, got {length}"))
}

struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
}

impl Fields<'_> {
    /// The value at a key, unless it is missing or null.
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn wrong(&self, key: &str, wanted: &str, got: &Value) -> String {
        format!("{}: expected {wanted}, got {}", self.at(key), kind_of(got))
    }

    fn parsed<T>(&self, key: &str, parsed: Result<T, String>) -> Result<T, String> {
        parsed.map_err(|error| format!("{}: {error}", self.at(key)))
    }

    fn text(&self, key: &str) -> Result<Option<String>, String> {
        self.get(key).map_or(Ok(None), |value| word(value).ok_or_else(|| self.wrong(key, "a string", value)))
    }

    fn flag(&self, key: &str) -> Result<bool, String> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(key, "true or false", other)),
        }
    }

    /// Whether something that is not empty stands at a key: plugins' answers have all keys.
    fn says(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| match value {
            Value::Array(items) => !items.is_empty(),
            Value::Object(map) => !map.is_empty(),
            Value::Bool(flag) => *flag,
            _ => true,
        })
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let item = |(index, item)| {
                    word(item)
                        .ok_or_else(|| self.wrong(&format!("{key}[{index}]"), "a string", item))
                        .transpose()
                };
                items.iter().enumerate().filter_map(item).collect()
            }
            Some(other) => Err(self.wrong(key, "an array of strings", other)),
        }
    }

    /// One key, or several.
    fn cancelled(&self) -> Result<Vec<String>, String> {
        let keys = match self.get("cancel") {
            Some(one) if !one.is_array() => match word(one) {
                Some(key) => key.into_iter().collect(),
                None => return Err(self.wrong("cancel", "a key, or an array of keys", one)),
            },
            _ => self.texts("cancel")?,
        };
        match keys.iter().find_map(|key| wrong_key(key)) {
            Some(why) => Err(format!("{}: {why}", self.at("cancel"))),
            None if keys.len() > MOST_CANCELLED => {
                let most =
                    format!("at most {MOST_CANCELLED} keys can be cancelled at once, got {}", keys.len());
                Err(format!("{}: {most}", self.at("cancel")))
            }
            None => Ok(keys),
        }
    }

    fn otherwise(&self) -> Result<Option<Box<Otherwise>>, String> {
        let map = match self.get("else") {
            None => return Ok(None),
            Some(Value::Object(map)) => map,
            Some(other) => return Err(self.wrong("else", "a map", other)),
        };
        let path = self.at("else");
        if let Some(unknown) = map.keys().find(|key| !PEOPLE.contains(&key.as_str())) {
            return Err(format!("{path}: unknown key `{unknown}`: {}", did_you_mean(unknown, PEOPLE)));
        }
        let fields = Fields { map, path: &path };
        Ok(Some(Box::new(Otherwise {
            groups: fields.texts("groups")?,
            users: fields.texts("users")?,
            contacts: fields.texts("contacts")?,
        })))
    }
}

/// Reads a value as a string: `None` for another type, `Some(None)` for an empty or missing one. A whole number counts as
/// a string: ids and phone numbers are often sent like that.
pub fn word(value: &Value) -> Option<Option<String>> {
    match value {
        Value::Null => Some(None),
        Value::String(text) if text.trim().is_empty() => Some(None),
        Value::String(text) => Some(Some(text.clone())),
        Value::Number(number) if !number.is_f64() => Some(Some(number.to_string())),
        _ => None,
    }
}

/// What to do if a time is missing.
pub const NO_TIME: &str = "if it may be missing, say so: `first(value, ())`";

/// Parses how decisions are collected: `10m by group`, `1h by person`, or by a key of the rule's own.
///
/// # Errors
/// If it is none of these, or the duration is zero.
pub fn collect(text: &str) -> Result<Collect, String> {
    let (time, by) = collect_parts(text)?;
    let by = match by {
        "group" => CollectBy::Group,
        "person" => CollectBy::Person,
        key if closest(key, ["group", "person"]).is_some() => return Err(not_collected(text)),
        key => collect_key(key)?,
    };
    Ok(Collect { time, by })
}

/// The duration and what stands after `by`.
///
/// # Errors
/// If one of them is missing, or the duration is zero.
pub fn collect_parts(text: &str) -> Result<(SignedDuration, &str), String> {
    let (time, by) = text.split_once(" by ").ok_or_else(|| not_collected(text))?;
    let (time, by) = (duration(time.trim())?, by.trim());
    if time.is_zero() || by.is_empty() { Err(not_collected(text)) } else { Ok((time, by)) }
}

fn not_collected(text: &str) -> String {
    format!(
        "expected a duration and `by group`, `by person` or `by` a key, for example `10m by group`, got `{text}`"
    )
}

/// A key by which decisions are collected.
///
/// # Errors
/// If it is too long.
pub fn collect_key(key: &str) -> Result<CollectBy, String> {
    match key.chars().count() {
        ..=MOST_KEY => Ok(CollectBy::Key(key.to_owned())),
        length => Err(format!("a key of `collect` has at most {MOST_KEY} characters, got {length}")),
    }
}

/// Checks hours of the week with their time zone: `MON-FRI 08:00-17:00 Africa/Harare`.
///
/// # Errors
/// If they are not such hours, or the zone is unknown.
pub fn hours(text: &str) -> Result<String, String> {
    opening_hours(text).map(|_| text.trim().to_owned())
}

/// Parses how many messages somebody gets within a time: `3 per 1d`, or `3 per 1d of alarms` for all templates with this tag.
///
/// # Errors
/// If it is not 1 to 100 in more than zero and at most 30 days.
pub fn at_most(text: &str) -> Result<AtMost, String> {
    let wrong =
        || format!("expected 1 to 100 per a duration of at most 30d, for example `3 per 1d`, got `{text}`");
    let (count, time) = text.split_once(" per ").ok_or_else(wrong)?;
    let count = count.trim().parse().ok().filter(|count| (1..=100).contains(count)).ok_or_else(wrong)?;
    let (time, tag) = match time.split_once(" of ") {
        Some((time, tag)) if is_tag(tag.trim()) => (time, Some(tag.trim().to_owned())),
        Some(_) => return Err(wrong()),
        None => (time, None),
    };
    let time = duration(time.trim()).map_err(|_| wrong())?;
    let fits = !time.is_zero() && time <= SignedDuration::from_hours(30 * 24);
    if fits { Ok(AtMost { count, time, tag }) } else { Err(wrong()) }
}

/// The keys that a decision with `collect` cannot have.
pub const NOT_COLLECTED: [&str; 7] = ["send_at", "after", "expires_at", "reply", "else", "key", "at_most"];

/// Returns which keys cannot be used together, if any.
pub fn excluded(is_there: impl Fn(&str) -> bool) -> Option<String> {
    if is_there("collect")
        && let Some(other) = NOT_COLLECTED.into_iter().find(|key| is_there(key))
    {
        return Some(format!("`collect` and `{other}` cannot be used together"));
    }
    (is_there("dedupe_for") && !is_there("dedupe_key"))
        .then(|| "`dedupe_for` needs a `dedupe_key`".to_owned())
}

/// Parses a priority: `urgent`, `normal` or `bulk`.
///
/// # Errors
/// If it is none of these.
pub fn priority(word: &str) -> Result<Priority, String> {
    match word {
        "urgent" => Ok(Priority::Urgent),
        "normal" => Ok(Priority::Normal),
        "bulk" => Ok(Priority::Bulk),
        other => Err(format!("expected urgent, normal or bulk, got `{other}`")),
    }
}

/// Parses a mode: `auto`, `template` or `text`.
///
/// # Errors
/// If it is none of these.
pub fn mode(word: &str) -> Result<Mode, String> {
    match word {
        "auto" => Ok(Mode::Auto),
        "template" => Ok(Mode::Template),
        "text" => Ok(Mode::Text),
        other => Err(format!("expected auto, template or text, got `{other}`")),
    }
}

/// Describes the type of a value, for messages.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a map",
    }
}
