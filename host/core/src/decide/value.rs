//! Conversion of values into rules and out of them.

use rhai::{Dynamic, Identifier, Map};
use serde_json::{Number, Value};

use super::{
    budget,
    helpers::Skip,
    ports::Call,
    words::{Duration, Time},
};
use crate::domain::{Event, short};

/// Converts an event, once for all rules, directly from JSON to Rhai's values (via `serde_json::Value` it would take
/// half as long again).
///
/// # Errors
/// If Rhai cannot represent the payload; intake accepts no such event.
pub fn of_event(event: &Event) -> Result<Dynamic, serde_json::Error> {
    let mut map: Map = match &event.extensions {
        Some(extensions) => serde_json::from_str::<Dynamic>(extensions.get())?.try_cast().unwrap_or_default(),
        None => Map::new(),
    };
    map.insert("id".into(), event.key.id.clone().into());
    map.insert("source".into(), event.key.source.clone().into());
    map.insert("type".into(), event.kind.clone().into());
    map.insert("subject".into(), event.subject.clone().map_or(Dynamic::UNIT, Dynamic::from));
    map.insert("time".into(), event.time.to_string().into());
    map.insert("data".into(), serde_json::from_str(event.data.get())?);
    Ok(map.into())
}

/// Converts a part of a rule's answer to JSON, and counts it against the maximum size of the answer.
///
/// # Errors
/// If a value is not JSON (a function, a range), with its path, or if the answer is too large.
pub fn answer(value: &Dynamic) -> Result<Value, String> {
    let left = Call::current(|call| call.budget.output.get()).unwrap_or(budget::OUTPUT);
    let mut output = Output::new(left);
    let json = output.json(value);
    Call::current(|call| call.budget.output.set(output.left));
    json.map_err(|message| output.located(&message))
}

/// Converts a map to JSON text of at most about `limit` bytes.
///
/// # Errors
/// If a value is not JSON, or the text would be larger.
pub fn json_of(map: &Map, limit: usize) -> Result<String, String> {
    let mut output = Output::new(limit);
    let json = output.map(map);
    json.map(|json| json.to_string()).map_err(|message| output.located(&message))
}

/// Maximum nesting of an answer.
const DEPTH: usize = 64;

struct Output {
    left: usize,
    depth: usize,
    /// The way to the value that cannot be converted, its last step first.
    way: Option<Vec<String>>,
}

impl Output {
    fn new(left: usize) -> Output {
        Output { left, depth: 0, way: None }
    }

    fn take(&mut self, bytes: usize) -> Result<(), String> {
        let too_large = || format!("the answer is larger than {} KiB as JSON", budget::OUTPUT / 1024);
        self.left = self.left.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }

    fn json(&mut self, value: &Dynamic) -> Result<Value, String> {
        if let Ok(text) = value.as_immutable_string_ref() {
            self.take(text.len() + 2)?;
            return Ok(Value::String(text.to_string()));
        }
        self.take(8)?;
        if value.is_unit() {
            return Ok(Value::Null);
        }
        if let Ok(yes) = value.as_bool() {
            return Ok(Value::Bool(yes));
        }
        if let Ok(int) = value.as_int() {
            return Ok(Value::Number(int.into()));
        }
        if let Ok(float) = value.as_float() {
            let number = Number::from_f64(float).map(Value::Number);
            return number.ok_or_else(|| self.wrong(&format!("{float} is not a JSON number")));
        }
        if let Ok(character) = value.as_char() {
            return Ok(Value::String(character.to_string()));
        }
        if let Ok(array) = value.as_array_ref() {
            let items = array.iter().enumerate();
            return items.map(|(index, item)| self.at(item, || format!("[{index}]"))).collect();
        }
        if let Ok(map) = value.as_map_ref() {
            return self.map(&map);
        }
        if let Some(time) = value.read_lock::<Time>() {
            self.take(24)?;
            return Ok(Value::String(time.0.to_string()));
        }
        if let Some(duration) = value.read_lock::<Duration>() {
            self.take(24)?;
            return Ok(Value::String(short(duration.0)));
        }
        if value.is::<Skip>() {
            return Err(self.wrong("skip(…) cannot be part of an answer; return it on its own"));
        }
        Err(self.wrong(&format!("expected a JSON value, got {}", kind_of(value))))
    }

    fn map(&mut self, map: &Map) -> Result<Value, String> {
        let entry = |(key, item): (&Identifier, &Dynamic)| {
            self.take(key.len() + 4)?;
            Ok((key.to_string(), self.at(item, || format!(".{key}"))?))
        };
        map.iter().map(entry).collect::<Result<_, _>>().map(Value::Object)
    }

    fn at(&mut self, value: &Dynamic, step: impl FnOnce() -> String) -> Result<Value, String> {
        if self.depth == DEPTH {
            return Err(format!("the answer is nested more than {DEPTH} levels deep"));
        }
        self.depth += 1;
        let json = self.json(value);
        self.depth -= 1;
        if json.is_err()
            && let Some(way) = &mut self.way
        {
            way.push(step());
        }
        json
    }

    /// The message about the value at hand, and not about the whole answer.
    fn wrong(&mut self, message: &str) -> String {
        self.way = Some(Vec::new());
        message.to_owned()
    }

    fn located(&self, message: &str) -> String {
        let way: String = self.way.iter().flatten().rev().map(String::as_str).collect();
        format!("{}{message}", said_of(way.trim_start_matches('.')))
    }
}

/// The prefix of a message about the value at a path; empty for the whole.
pub fn said_of(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// Describes the type of a value, for messages.
pub fn kind_of(value: &Dynamic) -> &'static str {
    match value.type_name() {
        "()" => "a missing value",
        "bool" => "true or false",
        "i64" | "f64" => "a number",
        "string" | "char" => "a string",
        "array" => "an array",
        "map" => "a map",
        "Fn" => "a function",
        "skip" => "skip(…)",
        name if name.ends_with("::Time") => "a time",
        name if name.ends_with("::Duration") => "a duration",
        "range" | "range=" => "a range",
        _ => "another type",
    }
}
