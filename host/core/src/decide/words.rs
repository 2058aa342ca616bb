//! The shared words (`crate::words`) as functions and operators of expressions and scripts.

use std::any::TypeId;

use jiff::{SignedDuration, Timestamp};
use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, NativeCallContext, Position};

use super::{budget, value};
use crate::{
    domain::short,
    words::{FUNCTIONS, Function, Given, Sign, Word, moved},
};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Timestamp);

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub SignedDuration);

/// Maximum nesting of lists that are passed to a word.
const DEPTH: usize = 64;

/// Registers the functions and `+`; `-` and comparisons are in `operators`.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Time>("time").register_type_with_name::<Duration>("duration");
    for name in ["to_string", "to_debug", "print", "debug"] {
        let pure = || FuncRegistration::new(name).with_purity(true);
        pure().register_into_engine(engine, |time: &mut Time| time.0.to_string());
        pure().register_into_engine(engine, |duration: &mut Duration| short(duration.0));
    }
    for function in &FUNCTIONS {
        for count in function.arity() {
            engine.register_raw_fn(
                function.name,
                vec![TypeId::of::<Dynamic>(); count],
                move |_: NativeCallContext<'_>, arguments: &mut [&mut Dynamic]| called(function, arguments),
            );
        }
    }
    // Rhai's own, which shortens a variable and gives nothing.
    if let Some(truncate) = FUNCTIONS.iter().find(|function| function.name == "truncate") {
        engine.register_fn("truncate", move |text: ImmutableString, length: i64| {
            called(truncate, &mut [&mut text.into(), &mut length.into()])
        });
    }
    for (name, seconds) in [("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)] {
        engine.register_get(name, move |duration: &mut Duration| duration.0.as_secs() / seconds);
    }
    engine.register_fn("+", |a: Time, b: Dynamic| sum(Dynamic::from(a), b));
    engine.register_fn("+", |a: Time, b: ImmutableString| sum(Dynamic::from(a), b.into()));
    engine.register_fn("+", |a: Duration, b: Dynamic| sum(Dynamic::from(a), b));
    engine.register_fn("+", |a: Duration, b: ImmutableString| sum(Dynamic::from(a), b.into()));
    engine.register_fn("+", |a: ImmutableString, b: Duration| sum(a.into(), Dynamic::from(b)));
}

fn sum(a: Dynamic, b: Dynamic) -> Answer<Dynamic> {
    moved_by(&a, Sign::Plus, &b)
}

/// A time or a duration, moved by another value.
pub fn moved_by(a: &Dynamic, sign: Sign, b: &Dynamic) -> Answer<Dynamic> {
    let mut left = budget::TEXT;
    moved(&word(a, &mut left, 0)?, sign, &word(b, &mut left, 0)?).map(dynamic).map_err(failed)
}

/// Whether a value is a time or a duration.
pub fn is_of_time(value: &Dynamic) -> bool {
    value.is::<Time>() || value.is::<Duration>()
}

/// Calls a function.
pub fn called(function: &Function, arguments: &mut [&mut Dynamic]) -> Answer<Dynamic> {
    let mut left = budget::TEXT;
    let words =
        arguments.iter().map(|argument| word(argument, &mut left, 0)).collect::<Answer<Vec<Word>>>()?;
    let given = Given { language: None, limit: budget::TEXT };
    function.call(&words, &given).map(dynamic).map_err(failed)
}

/// The error of a word.
pub fn failed(why: String) -> Box<EvalAltResult> {
    EvalAltResult::ErrorArithmetic(why, Position::NONE).into()
}

/// A value as the words see it. Strings are copied: `left` are the bytes that may still be.
pub fn word(value: &Dynamic, left: &mut usize, depth: usize) -> Answer<Word> {
    if let Ok(text) = value.as_immutable_string_ref() {
        *left = left.checked_sub(text.len()).ok_or_else(too_large)?;
        return Ok(Word::Text(text.to_string()));
    }
    if let Ok(items) = value.as_array_ref() {
        if depth == DEPTH {
            return Err(failed(format!("the lists are nested more than {DEPTH} levels deep")));
        }
        return items
            .iter()
            .map(|item| {
                *left = left.checked_sub(size_of::<Word>()).ok_or_else(too_large)?;
                word(item, left, depth + 1)
            })
            .collect::<Answer<Vec<Word>>>()
            .map(Word::List);
    }
    Ok(if value.is_unit() {
        Word::Nothing
    } else if let Ok(yes) = value.as_bool() {
        Word::Bool(yes)
    } else if let Ok(int) = value.as_int() {
        Word::Int(int)
    } else if let Ok(float) = value.as_float() {
        Word::Float(float)
    } else if let Ok(character) = value.as_char() {
        Word::Text(character.to_string())
    } else if let Some(time) = value.read_lock::<Time>() {
        Word::Time(time.0)
    } else if let Some(duration) = value.read_lock::<Duration>() {
        Word::Duration(duration.0)
    } else {
        Word::Other(value::kind_of(value))
    })
}

fn too_large() -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into()
}

fn dynamic(word: Word) -> Dynamic {
    match word {
        Word::Nothing | Word::Other(_) => Dynamic::UNIT,
        Word::Bool(yes) => yes.into(),
        Word::Int(int) => int.into(),
        Word::Float(float) => float.into(),
        Word::Text(text) => text.into(),
        Word::Time(time) => Dynamic::from(Time(time)),
        Word::Duration(duration) => Dynamic::from(Duration(duration)),
        Word::List(items) => items.into_iter().map(dynamic).collect::<Vec<_>>().into(),
    }
}
