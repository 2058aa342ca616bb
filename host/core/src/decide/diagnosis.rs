//! Rhai's errors in words that an author can act on.

use rhai::{Dynamic, EvalAltResult, ParseError, ParseErrorType, Position};

use super::{
    budget, helpers,
    source::{Place, RuleError, closest},
};
use crate::bounds::{REASON, cut, shown};

/// What is wrong with words that do not compile.
pub fn of_parsing(error: &ParseError, place: &Place, known: &[&str]) -> RuleError {
    let help = match error.err_type() {
        ParseErrorType::VariableUndefined(name)
            if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') =>
        {
            Some(format!("a constant of the script is read as `global::{name}`"))
        }
        ParseErrorType::VariableUndefined(name) => Some(closest(name, known.iter().copied()).map_or_else(
            || "a text is written in double quotes".to_owned(),
            |known| format!("did you mean `{known}`?"),
        )),
        ParseErrorType::Reserved(word) if word == "import" => {
            Some("put what the scripts share into each of them: scripts do not import".to_owned())
        }
        _ => None,
    };
    let message = lowercase_first(&cut(&error.err_type().to_string(), REASON));
    RuleError { place: at(place, error.position()), message, help }
}

/// Why a rule failed.
pub fn of_running(error: Box<EvalAltResult>, place: &Place) -> RuleError {
    let mut error = error;
    // The innermost call is where it went wrong.
    while let EvalAltResult::ErrorInFunctionCall(_, _, inner, position) = *error {
        error = inner;
        if error.position().is_none() {
            error.set_position(position);
        }
    }
    let position = error.take_position();
    let (message, help) = explain(&error);
    RuleError { place: at(place, position), message, help }
}

fn at(place: &Place, position: Position) -> Place {
    position.line().map_or_else(|| place.clone(), |line| place.within(line, position.position().unwrap_or(1)))
}

fn explain(error: &EvalAltResult) -> (String, Option<String>) {
    match error {
        EvalAltResult::ErrorRuntime(thrown, _) => (thrown_words(thrown), None),
        EvalAltResult::ErrorTerminated(why, _) => {
            (why.to_string(), Some("look for a loop without end".into()))
        }
        EvalAltResult::ErrorTooManyOperations(_) => (
            format!("took more than {} operations", budget::OPERATIONS),
            Some("look for a loop without end".into()),
        ),
        EvalAltResult::ErrorStackOverflow(_) => (
            format!("functions call each other more than {} deep", budget::CALL_LEVELS),
            Some("look for a function that calls itself".into()),
        ),
        EvalAltResult::ErrorDataTooLarge(what, _) => (too_large(what), None),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => no_function(signature),
        EvalAltResult::ErrorMismatchDataType(wanted, given, _) => {
            let missing = wanted == "bool" && given == "()";
            let help = missing.then(|| "a value is missing there: write `… == true` or `… != ()`".to_owned());
            (format!("expected {}, got {}", kind(wanted), kind(given)), help)
        }
        other => (lowercase_first(&shown(other, REASON)), None),
    }
}

fn thrown_words(thrown: &Dynamic) -> String {
    if thrown.is_unit() {
        "threw an error".to_owned()
    } else {
        format!("threw: {}", helpers::reason_text(thrown))
    }
}

fn too_large(what: &str) -> String {
    if what.contains("string") {
        format!("a text grew beyond {} KiB", budget::TEXT / 1024)
    } else if what.contains("map") {
        format!("a map grew beyond {} entries", budget::ENTRIES)
    } else {
        format!("an array grew beyond {} items", budget::ITEMS)
    }
}

/// Rhai says `name (type, type)`.
fn no_function(signature: &str) -> (String, Option<String>) {
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ")"));
    let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
    let kinds: Vec<_> = arguments.split(", ").filter(|name| !name.is_empty()).map(kind).collect();
    let named = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let what = if named { "function" } else { "operator" };
    let message = format!(
        "no {what} `{name}` for {}",
        match kinds.as_slice() {
            [] => "no arguments".to_owned(),
            kinds => kinds.join(" and "),
        }
    );
    let help = if kinds.contains(&"nothing") {
        Some("a value is missing there: give one with first(value, …) or `value ?? …`".to_owned())
    } else if helpers::NAMES.contains(&name) {
        Some(format!("`{name}` takes other arguments"))
    } else {
        closest(name, helpers::NAMES).map(|known| format!("did you mean `{known}`?"))
    };
    (message, help)
}

/// Rhai's name of a type, in words.
fn kind(rhai_name: &str) -> &str {
    match rhai_name {
        "()" => "nothing",
        "bool" => "true or false",
        "i64" | "f64" => "a number",
        "array" => "an array",
        "map" => "a map",
        "Fn" => "a function",
        name if name.contains("str") || name.contains("String") || name == "char" => "a text",
        name => name,
    }
}

fn lowercase_first(words: &str) -> String {
    let mut letters = words.chars();
    let second_is_lower = words.chars().nth(1).is_some_and(|c| !c.is_uppercase());
    match letters.next() {
        Some(first) if second_is_lower => first.to_lowercase().chain(letters).collect(),
        _ => words.to_owned(),
    }
}
