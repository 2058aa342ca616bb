//! Comparisons and `-`. Rhai answers them between a string and a number with false, or by removing text, and a rule would
//! go wrong in silence: `event.data.total > 500` where the total is `"600"`. Here they fail in words.
//!
//! Rhai asks nobody about operators between its own types. So comparisons are operators of ours with the same names, and
//! `-` is read as another one; all other operators stay as they are.

use std::cmp::Ordering;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext, Position, Token};

use super::{
    budget,
    words::{failed as failed_word, is_of_time, moved_by, word},
};
use crate::{
    bounds::cut,
    words::{Sign, compared as compared_words, number_in},
};

/// Beginning of the message about a comparison.
const COMPARED: &str = "cannot compare the string ";
/// Beginning of the message about a subtraction.
const SUBTRACTED: &str = "cannot subtract from the string ";
/// Maximum length of a string that is repeated in a message, in characters.
const REPEATED: usize = 40;
/// What `-` between two values is read as. Authors cannot write it.
pub const MINUS: &str = "-.";

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// Registers the operators.
///
/// # Errors
/// If Rhai does not know one of them.
pub fn register(engine: &mut Engine) -> Result<(), String> {
    // The precedences are Rhai's.
    for (name, precedence) in [("==", 90), ("!=", 90), ("<", 130), ("<=", 130), (">", 130), (">=", 130)] {
        engine.disable_symbol(name).register_custom_operator(name, precedence)?;
    }
    engine.register_custom_operator(MINUS, 150)?;
    #[expect(deprecated, reason = "Rhai may change it; there is no other way")]
    engine.on_parse_token(|token, _, _| match token {
        Token::Minus => Token::Custom(Box::new(MINUS.into())),
        other => other,
    });
    engine.register_fn("==", |call: NativeCallContext, a: Dynamic, b: Dynamic| equal(&call, a, b));
    engine.register_fn("!=", |call: NativeCallContext, a: Dynamic, b: Dynamic| {
        equal(&call, a, b).map(|equal| !equal)
    });
    engine.register_fn("<", |a: Dynamic, b: Dynamic| order(&a, &b).map(|it| it.is_some_and(Ordering::is_lt)));
    engine
        .register_fn("<=", |a: Dynamic, b: Dynamic| order(&a, &b).map(|it| it.is_some_and(Ordering::is_le)));
    engine.register_fn(">", |a: Dynamic, b: Dynamic| order(&a, &b).map(|it| it.is_some_and(Ordering::is_gt)));
    engine
        .register_fn(">=", |a: Dynamic, b: Dynamic| order(&a, &b).map(|it| it.is_some_and(Ordering::is_ge)));
    engine.register_fn(MINUS, minus);
    Ok(())
}

/// What to do about such a message; `None` for any other.
pub fn help(message: &str) -> Option<String> {
    if message.starts_with(COMPARED) {
        Some(
            "make a number of the string: `number(value)`, for example `number(event.data.total) > 500`"
                .to_owned(),
        )
    } else if message.starts_with(SUBTRACTED) {
        Some("make a time or a number of the string: `time(value) - \"24h\"`, or `number(value)`".to_owned())
    } else {
        None
    }
}

/// A value that has an order.
enum Ordered<'a> {
    Int(i64),
    Float(f64),
    String(&'a str),
    Char(char),
    Bool(bool),
    Nothing,
}

fn ordered<'a>(value: &Dynamic, text: &'a Option<ImmutableString>) -> Option<Ordered<'a>> {
    if let Some(text) = text {
        return Some(Ordered::String(text));
    }
    if value.is_unit() {
        return Some(Ordered::Nothing);
    }
    let int = value.as_int().map(Ordered::Int);
    let other = int.or_else(|_| value.as_float().map(Ordered::Float));
    let other = other.or_else(|_| value.as_bool().map(Ordered::Bool));
    other.or_else(|_| value.as_char().map(Ordered::Char)).ok()
}

/// The string of a value, which is shared, not copied.
fn text(value: &Dynamic) -> Option<ImmutableString> {
    value.as_immutable_string_ref().ok().map(|text| text.clone())
}

/// How two values are ordered; `None` if they are not.
fn order(a: &Dynamic, b: &Dynamic) -> Answer<Option<Ordering>> {
    if is_of_time(a) || is_of_time(b) {
        return times(a, b);
    }
    let (text_a, text_b) = (text(a), text(b));
    let (Some(a), Some(b)) = (ordered(a, &text_a), ordered(b, &text_b)) else { return Ok(None) };
    Ok(match (a, b) {
        (Ordered::Int(a), Ordered::Int(b)) => Some(a.cmp(&b)),
        (Ordered::Float(a), Ordered::Float(b)) => a.partial_cmp(&b),
        (Ordered::Int(a), Ordered::Float(b)) => (a as f64).partial_cmp(&b),
        (Ordered::Float(a), Ordered::Int(b)) => a.partial_cmp(&(b as f64)),
        (Ordered::String(a), Ordered::String(b)) => Some(a.cmp(b)),
        (Ordered::Char(a), Ordered::Char(b)) => Some(a.cmp(&b)),
        (Ordered::Char(a), Ordered::String(b)) => Some((*a.encode_utf8(&mut [0; 4])).cmp(b)),
        (Ordered::String(a), Ordered::Char(b)) => Some(a.cmp(b.encode_utf8(&mut [0; 4]))),
        (Ordered::Bool(a), Ordered::Bool(b)) => Some(a.cmp(&b)),
        (Ordered::Nothing, Ordered::Nothing) => Some(Ordering::Equal),
        (Ordered::String(text), Ordered::Int(_) | Ordered::Float(_))
        | (Ordered::Int(_) | Ordered::Float(_), Ordered::String(text)) => return compared(text),
        _ => None,
    })
}

/// How a time or a duration and another value are ordered.
fn times(a: &Dynamic, b: &Dynamic) -> Answer<Option<Ordering>> {
    let mut left = budget::TEXT;
    compared_words(&word(a, &mut left, 0)?, &word(b, &mut left, 0)?).map_err(failed_word)
}

/// Whether two values are equal. A string and a number are not; if the string reads as this number, that is not what was
/// meant.
fn equal(call: &NativeCallContext<'_>, a: Dynamic, b: Dynamic) -> Answer<bool> {
    if is_of_time(&a) || is_of_time(&b) {
        return times(&a, &b).map(|order| order.is_some_and(Ordering::is_eq));
    }
    let (text_a, text_b) = (text(&a), text(&b));
    let number = |value: &Ordered<'_>| match value {
        Ordered::Int(int) => Some(*int as f64),
        Ordered::Float(float) => Some(*float),
        _ => None,
    };
    match (ordered(&a, &text_a), ordered(&b, &text_b)) {
        (Some(Ordered::String(text)), Some(other)) | (Some(other), Some(Ordered::String(text)))
            if number(&other).is_some() =>
        {
            if number_in(text) == number(&other) {
                compared(text)
            } else {
                Ok(false)
            }
        }
        (Some(_), Some(_)) => Ok(order(&a, &b)?.is_some_and(Ordering::is_eq)),
        // Of two lists or two maps, Rhai compares each value; values of two types are not equal.
        (None, None) if a.type_id() == b.type_id() => {
            let (mut a, mut b) = (a, b);
            call.call_native_fn_raw("==", true, &mut [&mut a, &mut b])?.as_bool().or(Ok(false))
        }
        _ => Ok(false),
    }
}

fn minus(call: NativeCallContext<'_>, a: Dynamic, b: Dynamic) -> Answer<Dynamic> {
    if is_of_time(&a) || is_of_time(&b) {
        return moved_by(&a, Sign::Minus, &b);
    }
    if let Some(text) = text(&a) {
        return failed(SUBTRACTED, &text, "");
    }
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int())
        && let Some(difference) = a.checked_sub(b)
    {
        return Ok(difference.into());
    }
    let (mut a, mut b) = (a, b);
    call.call_native_fn_raw("-", true, &mut [&mut a, &mut b])
}

fn failed<T>(what: &str, string: &str, rest: &str) -> Answer<T> {
    let words = format!("{what}{:?}{rest}", cut(string, REPEATED));
    Err(EvalAltResult::ErrorArithmetic(words, Position::NONE).into())
}

fn compared<T>(string: &str) -> Answer<T> {
    failed(COMPARED, string, " with a number")
}
