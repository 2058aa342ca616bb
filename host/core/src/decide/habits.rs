//! Help for what authors write out of habit from other languages.

use rhai::{LexError, ParseErrorType};

use super::expression::Names;
use crate::{bounds::cut, domain::closest};

/// Maximum length of an author's text that is repeated in a help, in characters.
const REPEATED: usize = 40;

/// Attributes of an event.
pub const ATTRIBUTES: [&str; 6] = ["data", "id", "source", "subject", "time", "type"];

/// Functions and methods of other languages, and what to use here.
const FUNCTIONS: &[(&[&str], &str)] = &[
    (&["includes", "has", "include"], "`contains`, or `value in list`"),
    (&["has_key", "hasOwnProperty", "containsKey"], "`\"key\" in map`"),
    (&["toLowerCase", "lower", "downcase", "lowercase"], "`to_lower`"),
    (&["toUpperCase", "upper", "upcase", "uppercase"], "`to_upper`"),
    (&["startsWith", "startswith", "hasPrefix"], "`starts_with`"),
    (&["endsWith", "endswith", "hasSuffix"], "`ends_with`"),
    (&["length", "size", "count"], "`len`"),
    (&["strip"], "`trim`"),
    (&["substring", "substr", "slice"], "`sub_string`"),
    (&["indexOf", "find_index"], "`index_of`"),
    (&["replaceAll", "sub", "gsub"], "`replace`"),
    (&["toString", "str", "String"], "`text`"),
    (&["parseInt", "int", "Number", "parseFloat", "float", "to_number", "toNumber", "decimal"], "`number`"),
    (&["toFixed"], "`money`"),
    (
        &["strftime", "format_date", "dateformat", "date_format", "toLocaleString"],
        "`format(time, \"%d %b %Y\", zone)`",
    ),
    (&["parse_date", "parse_time", "to_time", "datetime"], "`time(value)`"),
    (&["pluralize", "plurals"], "`plural(count, \"line\", \"lines\")`"),
    (&["currency", "format_money", "toCurrency"], "`money(value, \"USD\")`"),
    (&["append", "add"], "`push`"),
    (&["concat"], "`+`"),
    (&["any", "exists"], "`some`"),
    (&["every"], "`all`"),
    (&["sum"], "`reduce(|sum, item| sum + item, 0)`"),
    (&["forEach", "each"], "`for item in list { … }`"),
    (&["sorted"], "`order`"),
    (&["typeof"], "`type_of`"),
    (&["sprintf"], "back-ticks: `Order ${event.data.id}`"),
    (
        &["match", "matches", "test", "regex"],
        "`contains`, `starts_with` or `ends_with`: there are no regular expressions",
    ),
    (&["timestamp", "date", "today", "Date"], "`time(value)` or `now()`"),
    (&["not"], "`!`"),
];

/// What to use in place of a function or method of another language.
pub fn function(name: &str) -> Option<String> {
    let (_, advice) = FUNCTIONS.iter().find(|(names, _)| names.contains(&name))?;
    Some(format!("use {advice}"))
}

/// An author's text that does not compile, around the error.
pub struct Around<'a> {
    /// The whole text.
    pub text: &'a str,
    /// The line of the error, up to it.
    pub before: &'a str,
    /// The line of the error, from it on.
    pub after: &'a str,
    /// Whether the text is a script, and not an expression.
    pub is_script: bool,
    /// The names of `let` that an expression may use.
    pub names: Names<'a>,
}

/// What to do about an error of the parser.
pub fn parsing(error: &ParseErrorType, around: &Around<'_>) -> Option<String> {
    let start = around.text.trim_start();
    if !around.is_script && start.starts_with('=') && !start.starts_with("==") {
        return Some("omit `=`: it marks an expression only where a plain text is possible too".to_owned());
    }
    if !around.is_script && ["{{", "${", "{%"].iter().any(|braces| start.starts_with(braces)) {
        return Some("write the expression without braces, for example `event.data.name`".to_owned());
    }
    match error {
        ParseErrorType::BadInput(LexError::MalformedChar(text)) => {
            let text = text.trim_matches('\'');
            Some(format!("write a string in double quotes: \"{}\"", cut(text, REPEATED)))
        }
        ParseErrorType::BadInput(LexError::UnexpectedInput(word) | LexError::ImproperSymbol(word, _))
        | ParseErrorType::UnknownOperator(word)
        | ParseErrorType::Reserved(word) => length_of_time(word, around).or_else(|| operator(word)),
        ParseErrorType::VariableUndefined(name) => {
            length_of_time(name, around).or_else(|| Some(variable(name, around)))
        }
        ParseErrorType::PropertyExpected => reserved_property(around.after),
        _ => None,
    }
}

/// `event.data.visit - 1d`, which is read as a number and a name.
fn length_of_time(unit: &str, around: &Around<'_>) -> Option<String> {
    let number = &around.before[around.before.trim_end_matches(|c: char| c.is_ascii_digit()).len()..];
    (!number.is_empty() && ["s", "m", "h", "d"].contains(&unit))
        .then(|| format!("write a duration in double quotes: `time(value) - \"{number}{unit}\"`"))
}

/// A word of the language as the name of a property.
fn reserved_property(after: &str) -> Option<String> {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = &after[..after.len() - after.trim_start_matches(is_of_a_name).len()];
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        .then(|| format!("`{name}` is a reserved word: write `[\"{name}\"]` instead of `.{name}`"))
}

/// The operator in the parser's message about one of another language.
pub fn foreign_operator(word: &str) -> &str {
    let operator = word.strip_prefix('\'').and_then(|word| word.split_once("' is not a valid"));
    operator.map_or(word, |(operator, _)| operator)
}

fn operator(word: &str) -> Option<String> {
    let help = match foreign_operator(word) {
        "and" => "use `&&`",
        "or" => "use `||`",
        "not" => "use `!`",
        "===" | "is" | "=" | "eq" => "use `==`",
        "!==" | "<>" | "ne" => "use `!=`",
        "?" | "if" | "then" => "write `if condition { one } else { other }`",
        "null" | "nil" => "a missing value is `()`, for example `event.data.name == ()`",
        "import" => "functions in `lib/*.rhai` can be called from everywhere, without an import",
        "=>" | "->" => "write a function as `|item| item.name`",
        _ => return None,
    };
    Some(help.to_owned())
}

fn variable(name: &str, around: &Around<'_>) -> String {
    if let Some(path) = hyphenated(name, around.before) {
        return format!("write a name with a hyphen in brackets: `{path}`");
    }
    if around.after.strip_prefix(name).is_some_and(|after| after.trim_start().starts_with("=>")) {
        return format!("write a function as `|{name}| …`");
    }
    match name {
        "None" | "undefined" | "Null" | "NULL" => {
            return "a missing value is `()`, for example `event.data.name == ()`".to_owned();
        }
        "True" | "TRUE" | "yes" | "Yes" | "on" => return "write `true`".to_owned(),
        "False" | "FALSE" | "no" | "No" | "off" => return "write `false`".to_owned(),
        "not" => return "use `!`".to_owned(),
        _ if ATTRIBUTES.contains(&name) => return format!("did you mean `event.{name}`?"),
        _ => {}
    }
    if around.names.later.contains(&name) {
        return format!("`{name}` is defined below by `let`; move `let` above `when`");
    }
    if let Some(known) = closest(name, around.names.known.iter().copied().chain(["event"])) {
        return format!("did you mean `{known}`?");
    }
    let name = cut(name, REPEATED);
    match around.is_script {
        true if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => {
            format!("a constant of the script is read as `global::{name}`")
        }
        true => format!("declare it with `let`, or write a string in double quotes: \"{name}\""),
        false => format!(
            "for a value of the event write `event.data.{name}`; for a string put double quotes within the quotes of YAML: '\"{name}\"'"
        ),
    }
}

/// `event.data.common-` before `labels` → `event.data["common-labels"]`.
fn hyphenated(name: &str, before: &str) -> Option<String> {
    let path = before.strip_suffix('-')?;
    let is_of_a_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let start = path.trim_end_matches(is_of_a_path).len();
    let (map, first) = path[start..].rsplit_once('.')?;
    (!map.is_empty() && !first.is_empty()).then(|| format!("{map}[\"{first}-{name}\"]"))
}
