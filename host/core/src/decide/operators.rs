//! Operators between strings and numbers. Rhai answers them with false, or by removing text, and a rule would go wrong in
//! silence: `event.data.total > 500` where the total is `"600"`. Here they fail in words.

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Position};

use super::helpers::number_in;
use crate::bounds::cut;

/// Beginning of the message about a comparison.
const COMPARED: &str = "cannot compare the string ";
/// Beginning of the message about a subtraction.
const SUBTRACTED: &str = "cannot subtract from the string ";
/// Maximum length of a string that is repeated in a message, in characters.
const REPEATED: usize = 40;

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// Registers the operators; Rhai asks for them before it uses its own.
pub fn register(engine: &mut Engine) {
    // Otherwise Rhai never looks for other operators between built-in types.
    engine.set_fast_operators(false);
    for operator in ["<", "<=", ">", ">="] {
        engine.register_fn(operator, |a: ImmutableString, _: i64| -> Answer<bool> { compared(&a) });
        engine.register_fn(operator, |a: ImmutableString, _: f64| -> Answer<bool> { compared(&a) });
        engine.register_fn(operator, |_: i64, b: ImmutableString| -> Answer<bool> { compared(&b) });
        engine.register_fn(operator, |_: f64, b: ImmutableString| -> Answer<bool> { compared(&b) });
    }
    for (operator, if_equal) in [("==", true), ("!=", false)] {
        engine.register_fn(operator, move |a: ImmutableString, b: i64| equal(&a, b as f64, if_equal));
        engine.register_fn(operator, move |a: ImmutableString, b: f64| equal(&a, b, if_equal));
        engine.register_fn(operator, move |a: i64, b: ImmutableString| equal(&b, a as f64, if_equal));
        engine.register_fn(operator, move |a: f64, b: ImmutableString| equal(&b, a, if_equal));
    }
    engine.register_fn("-", |a: ImmutableString, _: ImmutableString| subtracted(&a));
    engine.register_fn("-", |a: ImmutableString, _: char| subtracted(&a));
    engine.register_fn("-", |a: ImmutableString, _: i64| subtracted(&a));
    engine.register_fn("-", |a: ImmutableString, _: f64| subtracted(&a));
    engine.register_fn("-=", |a: &mut ImmutableString, _: ImmutableString| subtracted(a).map(drop));
    engine.register_fn("-=", |a: &mut ImmutableString, _: char| subtracted(a).map(drop));
}

/// What to do about such a message; `None` for any other.
pub fn help(message: &str) -> Option<String> {
    if message.starts_with(COMPARED) {
        Some(
            "make a number of the string: `number(value)`, for example `number(event.data.total) > 500`"
                .to_owned(),
        )
    } else if message.starts_with(SUBTRACTED) {
        Some(
            "`-` is for numbers: use `number(value)` if the string is one; a time in the future is set with `after`"
                .to_owned(),
        )
    } else {
        None
    }
}

fn failed<T>(what: &str, string: &str, rest: &str) -> Answer<T> {
    let words = format!("{what}{:?}{rest}", cut(string, REPEATED));
    Err(EvalAltResult::ErrorArithmetic(words, Position::NONE).into())
}

fn compared<T>(string: &str) -> Answer<T> {
    failed(COMPARED, string, " with a number")
}

/// A string and a number are not equal. If the string reads as this number, that is not what was meant.
fn equal(string: &str, number: f64, if_equal: bool) -> Answer<bool> {
    match number_in(string) {
        Some(read) if read == number => compared(string),
        _ => Ok(!if_equal),
    }
}

fn subtracted(string: &str) -> Answer<Dynamic> {
    failed(SUBTRACTED, string, "")
}
