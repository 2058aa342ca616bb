//! The shared words (`crate::words`) in templates: as functions, `money(total, "USD")`, and as filters,
//! `{{ total | money("USD") }}`. A call is compiled to the filter of the same name, so that a variable may have that name.

use std::{cmp::Ordering, fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use minijinja::{
    Environment, Error, ErrorKind, Value,
    machinery::Instruction,
    value::{Object, ObjectRepr, Rest, ValueKind},
};

use scoped_tls_hkt::scoped_thread_local;

use super::{program::NO_LOCAL, weigh};
use crate::{
    domain::short,
    words::{FUNCTIONS, Function, Given, Sign, Word, compared, function, moved, text},
};

/// The filter that gives the time.
pub(super) const NOW: &str = "#now";
/// The filters that calculate with times.
const PLUS: &str = "#+";
const MINUS: &str = "#-";
/// The filter that tells whether `+` and `-` are about times.
pub(super) const ABOUT_TIMES: &str = "#about_times";

/// When and for whom a template is rendered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    /// Time of planning.
    pub now: Timestamp,
    /// Language of the template.
    pub language: &'a str,
}

scoped_thread_local! {
    static CURRENT: for<'a> &'a Surroundings<'a>
}

/// Renders something in these surroundings.
pub(super) fn within<T>(surroundings: &Surroundings<'_>, rendering: impl FnOnce() -> T) -> T {
    CURRENT.set(surroundings, rendering)
}

fn current<T>(read: impl FnOnce(&Surroundings<'_>) -> T) -> Option<T> {
    CURRENT.is_set().then(|| CURRENT.with(read))
}

/// A point in time, or a length of time.
#[derive(Debug)]
enum OfTime {
    Time(Timestamp),
    Duration(SignedDuration),
}

impl Object for OfTime {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let seconds = match key.as_str()? {
            "days" => 86_400,
            "hours" => 3_600,
            "minutes" => 60,
            "seconds" => 1,
            _ => return None,
        };
        match **self {
            OfTime::Time(_) => None,
            OfTime::Duration(duration) => Some(Value::from(duration.as_secs() / seconds)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match **self {
            OfTime::Time(time) => write!(f, "{time}"),
            OfTime::Duration(duration) => f.write_str(&short(duration)),
        }
    }
}

/// Whether a value is a time or a duration.
pub(super) fn is_of_time(value: &Value) -> bool {
    value.kind() == ValueKind::Plain && value.downcast_object_ref::<OfTime>().is_some()
}

/// How a time or a duration and another value are ordered; `None` if neither is one.
pub(super) fn order(a: &Value, b: &Value) -> Option<Result<Option<Ordering>, Error>> {
    let word = |value: &Value| word(value, &mut weigh::SIZE.clone(), 0);
    (is_of_time(a) || is_of_time(b)).then(|| compared(&word(a)?, &word(b)?).map_err(wrong))
}

/// Adds the filters.
pub(super) fn register(environment: &mut Environment<'_>) {
    for function in &FUNCTIONS {
        environment.add_filter(function.name, move |arguments: Rest<Value>| called(function, &arguments));
    }
    environment.add_filter(NOW, || {
        current(|current| Value::from_object(OfTime::Time(current.now)))
            .ok_or_else(|| wrong("`now` is only available while a message is rendered".to_owned()))
    });
    environment.add_filter(PLUS, |a: Value, b: Value| moved_by(&a, Sign::Plus, &b));
    environment.add_filter(MINUS, |a: Value, b: Value| moved_by(&a, Sign::Minus, &b));
    // The operands again, below the answer, once they are unpacked.
    environment.add_filter(ABOUT_TIMES, |a: Value, b: Value| {
        let about_times = is_of_time(&a) || is_of_time(&b);
        vec![Value::from(about_times), b, a]
    });
}

/// The filter that takes the place of a call; `None` for a function that is none of the words.
pub(super) fn filter_of(name: &str) -> Option<&'static str> {
    if name == "now" { Some(NOW) } else { function(name).map(|function| function.name) }
}

/// A list as people read it: its items with commas between them.
pub(super) fn shown(list: &Value) -> Result<String, Error> {
    if list.kind() == ValueKind::Map {
        return Err(wrong("an object cannot be shown: name one of its members, as in `order.id`".to_owned()));
    }
    text(&word(list, &mut weigh::SIZE.clone(), 0)?, weigh::SIZE).map_err(wrong)
}

/// Whether a name is one of the words.
pub(super) fn is_word(name: &str) -> bool {
    filter_of(name).is_some()
}

/// The instructions that take the place of `+` or `-`, if they are added from this one on: for times the word, for
/// everything else minijinja's own.
pub(super) fn sum(instruction: &Instruction<'_>, at: u32) -> Option<[Instruction<'static>; SUM as usize]> {
    let (filter, own) = match instruction {
        Instruction::Add => (PLUS, Instruction::Add),
        Instruction::Sub => (MINUS, Instruction::Sub),
        _ => return None,
    };
    let apply = |filter| Instruction::ApplyFilter(filter, Some(2), NO_LOCAL);
    Some([
        apply(ABOUT_TIMES),
        Instruction::UnpackList(3),
        Instruction::JumpIfFalse(at + 5),
        apply(filter),
        Instruction::Jump(at + 6),
        own,
    ])
}

/// Number of the instructions of `sum`.
pub(super) const SUM: u32 = 6;

fn moved_by(a: &Value, sign: Sign, b: &Value) -> Result<Value, Error> {
    let word = |value: &Value| word(value, &mut weigh::SIZE.clone(), 0);
    moved(&word(a)?, sign, &word(b)?).map(value).map_err(wrong)
}

fn called(function: &Function, arguments: &[Value]) -> Result<Value, Error> {
    let mut left = weigh::SIZE;
    let words =
        arguments.iter().map(|argument| word(argument, &mut left, 0)).collect::<Result<Vec<_>, _>>()?;
    let call = |language: Option<&str>| function.call(&words, &Given { language, limit: weigh::SIZE });
    let answer = current(|current| call(Some(current.language))).unwrap_or_else(|| call(None));
    answer.map(value).map_err(wrong)
}

fn wrong(why: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

/// A value as the words see it. Strings are copied: `left` are the bytes that may still be.
fn word(value: &Value, left: &mut usize, depth: usize) -> Result<Word, Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    if let Some(of_time) = value.downcast_object_ref::<OfTime>() {
        return Ok(match *of_time {
            OfTime::Time(time) => Word::Time(time),
            OfTime::Duration(duration) => Word::Duration(duration),
        });
    }
    weigh::take(left, value.as_str().map_or(size_of::<Word>(), str::len))?;
    Ok(match value.kind() {
        ValueKind::None => Word::Nothing,
        ValueKind::Bool => Word::Bool(value.is_true()),
        ValueKind::Number => match i64::try_from(value.clone()) {
            Ok(int) if value.is_integer() => Word::Int(int),
            _ => Word::Float(f64::try_from(value.clone())?),
        },
        ValueKind::String => Word::Text(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Seq | ValueKind::Iterable if depth < weigh::DEPTH => {
            let items = value.try_iter()?.map(|item| word(&item, left, depth + 1));
            Word::List(items.collect::<Result<_, _>>()?)
        }
        ValueKind::Seq | ValueKind::Iterable => Word::Other("a list that is nested too deeply"),
        ValueKind::Map => Word::Other("a map"),
        _ => Word::Other("another type"),
    })
}

fn value(word: Word) -> Value {
    match word {
        Word::Nothing | Word::Other(_) => Value::from(()),
        Word::Bool(yes) => yes.into(),
        Word::Int(int) => int.into(),
        Word::Float(float) => float.into(),
        Word::Text(text) => text.into(),
        Word::Time(time) => Value::from_object(OfTime::Time(time)),
        Word::Duration(duration) => Value::from_object(OfTime::Duration(duration)),
        Word::List(items) => items.into_iter().map(value).collect(),
    }
}
