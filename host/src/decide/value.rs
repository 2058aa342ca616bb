//! Values on their way into rules and out of them.

use rhai::{Dynamic, Map};
use serde_json::{Number, Value};

use super::{budget, helpers::Skip};
use crate::domain::Event;

/// Converts an event, once for all rules: JSON text straight to Rhai's values (through `serde_json::Value` it
/// takes half as long again).
///
/// # Errors
/// Where the payload is no JSON that Rhai can hold; intake lets no such event in.
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

/// What a rule gave, as JSON.
///
/// # Errors
/// Names the path of what JSON does not know (a function, a range), or says that it is too large.
pub fn to_json(value: &Dynamic) -> Result<Value, String> {
    Output { left: budget::OUTPUT }.json(value, &mut String::new())
}

/// The most values within values of an answer: more serve nobody.
const DEPTH: usize = 64;

struct Output {
    left: usize,
}

impl Output {
    fn take(&mut self, bytes: usize) -> Result<(), String> {
        let too_large = || format!("the answer is larger than {} KiB as JSON", budget::OUTPUT / 1024);
        self.left = self.left.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }

    fn json(&mut self, value: &Dynamic, path: &mut String) -> Result<Value, String> {
        if path.len() > 4 * 1024 || path.matches(['.', '[']).count() > DEPTH {
            return Err(format!("the answer nests more than {DEPTH} deep"));
        }
        if value.is_unit() {
            self.take(4)?;
            return Ok(Value::Null);
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            self.take(text.len() + 2)?;
            return Ok(Value::String(text.to_string()));
        }
        self.take(8)?;
        if let Ok(yes) = value.as_bool() {
            return Ok(Value::Bool(yes));
        }
        if let Ok(int) = value.as_int() {
            return Ok(Value::Number(int.into()));
        }
        if let Ok(float) = value.as_float() {
            let no_number = || format!("{}{float} is no number that JSON knows", said_of(path));
            return Number::from_f64(float).map(Value::Number).ok_or_else(no_number);
        }
        if let Ok(character) = value.as_char() {
            return Ok(Value::String(character.to_string()));
        }
        if let Ok(array) = value.as_array_ref() {
            let item = |(index, item): (usize, &Dynamic)| self.at(&format!("[{index}]"), item, path);
            return array.iter().enumerate().map(item).collect::<Result<_, _>>().map(Value::Array);
        }
        if let Ok(map) = value.as_map_ref() {
            let entry = |(key, item): (&_, &Dynamic)| -> Result<_, String> {
                let key = ToString::to_string(key);
                self.take(key.len() + 4)?;
                let dot = if path.is_empty() { "" } else { "." };
                let item = self.at(&format!("{dot}{key}"), item, path)?;
                Ok((key, item))
            };
            return map.iter().map(entry).collect::<Result<_, _>>().map(Value::Object);
        }
        let hint = if value.is::<Skip>() { "; return skip(…) alone" } else { "" };
        Err(format!("{}expected a value that JSON knows, got {}{hint}", said_of(path), kind_of(value)))
    }

    fn at(&mut self, step: &str, value: &Dynamic, path: &mut String) -> Result<Value, String> {
        let length = path.len();
        path.push_str(step);
        let json = self.json(value, path);
        path.truncate(length);
        json
    }
}

/// The beginning of a message about what is at a path.
pub fn said_of(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// What kind of value this is, in words.
pub fn kind_of(value: &Dynamic) -> &'static str {
    match value.type_name() {
        "()" => "nothing",
        "bool" => "true or false",
        "i64" | "f64" => "a number",
        "string" | "char" => "a text",
        "array" => "an array",
        "map" => "a map",
        "Fn" => "a function",
        "range" | "range=" => "a range",
        _ => "something else",
    }
}
