//! Functions for rules in addition to Rhai's own, for expressions and scripts alike.

use std::fmt::Write;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position, serde::to_dynamic};
use serde_json::Value;

use super::{
    budget,
    ports::Call,
    unfolding, value,
    words::{Duration, Time},
};
use crate::{
    bounds::{Bounded, REASON, cut},
    domain::short,
    words::{number_in, timestamp},
};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// The value of `skip("why")`: nobody is notified, for this reason.
#[derive(Clone, Debug)]
pub struct Skip(pub String);

/// Names of the helpers, for suggestions.
pub const NAMES: [&str; 18] = [
    "config",
    "duration",
    "first",
    "format",
    "in_hours",
    "join",
    "lines",
    "maps_link",
    "money",
    "next_in_hours",
    "now",
    "number",
    "plural",
    "skip",
    "text",
    "time",
    "title",
    "truncate",
];

/// Registers the helpers.
pub fn register(engine: &mut Engine) {
    register_first(engine);
    engine.register_type_with_name::<Skip>("skip");
    engine.register_fn("skip", |reason: Dynamic| Skip(reason_text(&reason)));
    engine.register_fn("title", |words: Dynamic| Ok::<_, Box<EvalAltResult>>(title(&text(&words)?)));
    engine.register_fn("maps_link", |pin: Dynamic| maps_link(&pin));
    engine.register_fn("text", |value: Dynamic| text(&value));
    engine.register_fn("now", now);
    engine.register_fn("config", |key: ImmutableString, default: Dynamic| -> Answer<Dynamic> {
        let answer = ask(|call| call.config(&key))?;
        Ok(if answer.is_unit() { default } else { answer })
    });
}

/// The time, as the record has it.
fn now() -> Answer<Time> {
    let answer = ask(|call| call.now())?;
    let text = answer.into_immutable_string().unwrap_or_default();
    timestamp(&text).map(Time).map_err(|why| why.into())
}

fn ask(question: impl FnOnce(&Call<'_>) -> Result<Value, String>) -> Answer<Dynamic> {
    match Call::current(question) {
        Some(Ok(answer)) => to_dynamic(answer),
        Some(Err(error)) => Err(EvalAltResult::ErrorTerminated(error.into(), Position::NONE).into()),
        None => Err("`now` and `config` are only available while a rule runs".into()),
    }
}

/// Registers `first(a, b, …)`: Rhai has no variadic functions, so for one to eight arguments.
fn register_first(engine: &mut Engine) {
    fn first<const N: usize>(values: [Dynamic; N]) -> Dynamic {
        values.into_iter().find(|value| !is_empty(value)).unwrap_or_default()
    }
    type D = Dynamic;
    engine.register_fn("first", |a: D| first([a]));
    engine.register_fn("first", |a: D, b: D| first([a, b]));
    engine.register_fn("first", |a: D, b: D, c: D| first([a, b, c]));
    engine.register_fn("first", |a: D, b: D, c: D, d: D| first([a, b, c, d]));
    engine.register_fn("first", |a: D, b: D, c: D, d: D, e: D| first([a, b, c, d, e]));
    engine.register_fn("first", |a: D, b: D, c: D, d: D, e: D, f: D| first([a, b, c, d, e, f]));
    engine.register_fn("first", |a: D, b: D, c: D, d: D, e: D, f: D, g: D| first([a, b, c, d, e, f, g]));
    engine.register_fn("first", |a: D, b: D, c: D, d: D, e: D, f: D, g: D, h: D| {
        first([a, b, c, d, e, f, g, h])
    });
}

/// Whether a value is missing, blank, or without items. 0 and false are not empty.
pub fn is_empty(value: &Dynamic) -> bool {
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.trim().is_empty();
    }
    if let Ok(array) = value.as_array_ref() {
        return array.is_empty();
    }
    if let Ok(map) = value.as_map_ref() {
        return map.is_empty();
    }
    value.is_unit()
}

/// Formats a value for people: a missing one as an empty string, an array with commas, a map as JSON.
///
/// # Errors
/// If the result is longer than a string may be.
fn text(value: &Dynamic) -> Answer<String> {
    let mut out = Bounded::new(budget::TEXT);
    // Fails only if the text is full, or the value is nested too deeply.
    match write_text(&mut out, value, 0).ok().and_then(|()| out.whole()) {
        Some(text) => Ok(text),
        None => unfolding::too_large(),
    }
}

/// Formats a value as a reason, cut to the maximum length of a reason.
pub fn reason_text(value: &Dynamic) -> String {
    let mut out = Bounded::new(4 * REASON);
    let _ = write_text(&mut out, value, 0);
    cut(&out.beginning(), REASON)
}

fn write_text(out: &mut Bounded, value: &Dynamic, depth: usize) -> std::fmt::Result {
    if value.is_unit() {
        return Ok(());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return out.write_str(text.as_str());
    }
    if let Ok(number) = value.as_float() {
        return write!(out, "{number}");
    }
    if let Ok(character) = value.as_char() {
        return out.write_char(character);
    }
    if let Some(time) = value.read_lock::<Time>() {
        return write!(out, "{}", time.0);
    }
    if let Some(duration) = value.read_lock::<Duration>() {
        return out.write_str(&short(duration.0));
    }
    if let Ok(array) = value.as_array_ref() {
        if depth > 64 {
            return Err(std::fmt::Error);
        }
        for (index, item) in array.iter().enumerate() {
            if index > 0 {
                out.write_str(", ")?;
            }
            write_text(out, item, depth + 1)?;
        }
        return Ok(());
    }
    if let Ok(map) = value.as_map_ref()
        && let Ok(json) = value::json_of(&map, budget::OUTPUT)
    {
        return out.write_str(&json);
    }
    unfolding::write(out, value, depth)
}

/// `home_loan` → `Home Loan`.
fn title(words: &str) -> String {
    let mut begins = true;
    let mut titled = String::with_capacity(words.len());
    for c in words.trim().chars().map(|c| if c == '_' { ' ' } else { c }) {
        if begins {
            titled.extend(c.to_uppercase());
        } else {
            titled.extend(c.to_lowercase());
        }
        begins = !c.is_alphanumeric() && !matches!(c, '\'' | '’');
    }
    titled
}

/// A pin `{latitude, longitude}` → its link; anything else → `()`.
fn maps_link(pin: &Dynamic) -> Dynamic {
    let coordinate = |map: &Map, key: &str, most: f64| {
        let value = map.get(key)?;
        let number = value.as_float().or_else(|_| value.as_int().map(|whole| whole as f64)).ok();
        let degrees = number.or_else(|| number_in(&value.as_immutable_string_ref().ok()?))?;
        Some(degrees).filter(|degrees| degrees.abs() <= most)
    };
    let Ok(map) = pin.as_map_ref() else { return Dynamic::UNIT };
    match (coordinate(&map, "latitude", 90.0), coordinate(&map, "longitude", 180.0)) {
        (Some(latitude), Some(longitude)) => {
            format!("https://www.google.com/maps/search/?api=1&query={latitude},{longitude}").into()
        }
        _ => Dynamic::UNIT,
    }
}
