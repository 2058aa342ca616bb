//! Rhai's errors, in words that an author can act on.

use rhai::{Dynamic, EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use super::{
    budget,
    expression::Names,
    habits, helpers, library, operators,
    source::{Place, RuleError, Source},
};
use crate::{
    bounds::{REASON, cut, shown},
    domain::closest,
    words::function,
};

/// The error of a text that does not compile: of an expression with these names, or of a script.
pub fn of_parsing(error: &ParseError, source: &Source, names: Option<Names<'_>>) -> RuleError {
    let is_script = names.is_none();
    let position = error.position();
    let line = position.line().and_then(|line| source.text.lines().nth(line - 1)).unwrap_or_default();
    let column = position.position().unwrap_or(1).saturating_sub(1);
    let (before, after) = line.split_at(line.char_indices().nth(column).map_or(line.len(), |(at, _)| at));
    let names = names.unwrap_or_default();
    let around = habits::Around { text: &source.text, before, after, is_script, names };
    RuleError {
        place: at(&source.place, position),
        message: cut(&parsing(error.err_type(), is_script), REASON),
        help: habits::parsing(error.err_type(), &around),
    }
}

fn parsing(error: &ParseErrorType, is_script: bool) -> String {
    match error {
        ParseErrorType::BadInput(LexError::UnexpectedInput(word)) => {
            format!("unexpected `{}`", habits::foreign_operator(word))
        }
        ParseErrorType::BadInput(LexError::MalformedChar(text)) => {
            format!("single quotes are for a single character: `{text}`")
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, why)) if why.contains("disabled") => {
            format!("`{word}` is not available")
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) => format!("unexpected `{word}`"),
        ParseErrorType::BadInput(LexError::UnterminatedString) => "unterminated string".to_owned(),
        ParseErrorType::UnknownOperator(word) => format!("unknown operator `{word}`"),
        ParseErrorType::VariableUndefined(name) => format!("unknown variable `{name}`"),
        ParseErrorType::Reserved(word) if word.starts_with(char::is_alphabetic) => {
            format!("`{word}` is a reserved word")
        }
        ParseErrorType::Reserved(symbol) => format!("unexpected `{symbol}`"),
        ParseErrorType::PropertyExpected => "expected the name of a property".to_owned(),
        ParseErrorType::VariableExpected => "expected the name of a variable".to_owned(),
        ParseErrorType::MissingToken(token, where_) => format!("expected `{token}` {where_}"),
        ParseErrorType::ExprExpected(what) => format!("expected {what} expression"),
        ParseErrorType::MismatchedType(wanted, given) => {
            format!("expected {}, got {}", kind(wanted), kind(given))
        }
        ParseErrorType::UnexpectedEOF if is_script => "the script is incomplete".to_owned(),
        ParseErrorType::UnexpectedEOF => "the expression is incomplete".to_owned(),
        ParseErrorType::ExprTooDeep => "the expression is nested too deeply".to_owned(),
        other => lowercase_first(&other.to_string()),
    }
}

/// Why a rule failed.
pub fn of_running(error: Box<EvalAltResult>, place: &Place) -> RuleError {
    let mut error = error;
    // A function of the library is in another file than its caller.
    let mut library = None;
    // The innermost call is where it went wrong.
    while let EvalAltResult::ErrorInFunctionCall(_, file, inner, position) = *error {
        error = inner;
        if error.position().is_none() {
            error.set_position(position);
        } else {
            library = library::is_of(&file).then(|| Place::start_of(file));
        }
    }
    let position = error.take_position();
    let (message, help) = explain(&error);
    RuleError { place: at(library.as_ref().unwrap_or(place), position), message, help }
}

fn at(place: &Place, position: Position) -> Place {
    position.line().map_or_else(|| place.clone(), |line| place.within(line, position.position().unwrap_or(1)))
}

fn explain(error: &EvalAltResult) -> (String, Option<String>) {
    match error {
        EvalAltResult::ErrorRuntime(thrown, _) => (thrown_words(thrown), None),
        EvalAltResult::ErrorTerminated(why, _) => (why.to_string(), Some("look for an endless loop".into())),
        EvalAltResult::ErrorTooManyOperations(_) => (
            format!("took more than {} operations", budget::OPERATIONS),
            Some("look for an endless loop".into()),
        ),
        EvalAltResult::ErrorStackOverflow(_) => (
            format!("function calls are nested more than {} levels deep", budget::CALL_LEVELS),
            Some("look for a function that calls itself".into()),
        ),
        EvalAltResult::ErrorDataTooLarge(what, _) => (too_large(what), None),
        EvalAltResult::ErrorArithmetic(why, _) => (lowercase_first(why), operators::help(why)),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => no_function(signature),
        EvalAltResult::ErrorMismatchDataType(wanted, given, _) => {
            let missing = wanted == "bool" && given == "()";
            let help = missing.then(|| MISSING_CONDITION.to_owned());
            (format!("expected {}, got {}", kind(wanted), kind(given)), help)
        }
        other => (lowercase_first(&shown(other, REASON)), None),
    }
}

/// The help for a condition whose value is missing.
pub const MISSING_CONDITION: &str = "compare it, so that a missing value is false: `… == true`, or `… != ()`";

fn thrown_words(thrown: &Dynamic) -> String {
    if thrown.is_unit() {
        "threw an error".to_owned()
    } else {
        format!("threw: {}", helpers::reason_text(thrown))
    }
}

fn too_large(what: &str) -> String {
    if what.contains("string") {
        format!("a string grew beyond {} KiB", budget::TEXT / 1024)
    } else if what.contains("map") {
        format!("a map grew beyond {} entries", budget::ENTRIES)
    } else {
        format!("an array grew beyond {} items", budget::ITEMS)
    }
}

/// The message for a signature as Rhai writes it: `name (type, type)`.
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
    let help = if kinds.contains(&MISSING) {
        Some("give a default: `first(value, …)` or `value ?? …`".to_owned())
    } else if let Some(function) = function(name) {
        Some(format!("`{name}` takes other arguments: {}", function.usage))
    } else if helpers::NAMES.contains(&name) {
        Some(format!("`{name}` takes other arguments"))
    } else {
        habits::function(name)
            .or_else(|| closest(name, helpers::NAMES).map(|known| format!("did you mean `{known}`?")))
    };
    (message, help)
}

const MISSING: &str = "a missing value";

/// Describes Rhai's name of a type, for messages.
fn kind(rhai_name: &str) -> &str {
    match rhai_name {
        "()" => MISSING,
        "bool" => "true or false",
        "i64" | "f64" => "a number",
        "array" => "an array",
        "map" => "a map",
        "Fn" => "a function",
        "time" => "a time",
        "duration" => "a duration",
        name if name.contains("str") || name.contains("String") || name == "char" => "a string",
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
