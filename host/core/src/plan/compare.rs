//! Comparisons in templates. minijinja orders a string and a number by their types: `total > 500` would be true if the
//! total is the string `"20"`. Here that fails in words.

use std::cmp::Ordering;

use minijinja::{Environment, Error, ErrorKind, Value, machinery::Instruction, value::ValueKind};

use super::{weigh, words};
use crate::bounds::cut;

/// Maximum length of a string that is repeated in a message, in characters.
const REPEATED: usize = 40;

/// The filter that takes the place of an instruction, if it compares. Authors cannot write its name.
pub(super) fn filter_of(instruction: &Instruction<'_>) -> Option<&'static str> {
    Some(match instruction {
        Instruction::Eq => "#==",
        Instruction::Ne => "#!=",
        Instruction::Lt => "#<",
        Instruction::Lte => "#<=",
        Instruction::Gt => "#>",
        Instruction::Gte => "#>=",
        _ => return None,
    })
}

type Comparison = fn(&Value, &Value) -> Result<bool, Error>;

/// The operators with the names of their tests, as in `x is gt 5` and `list | select("gt", 5)`.
const COMPARISONS: [(&str, &[&str], Comparison); 6] = [
    ("#==", &["eq", "equalto", "=="], equal),
    ("#!=", &["ne", "!="], |a, b| equal(a, b).map(|equal| !equal)),
    ("#<", &["lt", "lessthan", "<"], |a, b| ordered(a, b).map(Ordering::is_lt)),
    ("#<=", &["le", "<="], |a, b| ordered(a, b).map(Ordering::is_le)),
    ("#>", &["gt", "greaterthan", ">"], |a, b| ordered(a, b).map(Ordering::is_gt)),
    ("#>=", &["ge", ">="], |a, b| ordered(a, b).map(Ordering::is_ge)),
];

/// Adds the filters, and replaces the tests that compare.
pub(super) fn register(environment: &mut Environment<'_>) {
    for (filter, tests, compare) in COMPARISONS {
        environment.add_filter(filter, move |a: Value, b: Value| compare(&a, &b));
        for test in tests {
            environment.add_test(*test, move |a: Value, b: Value| compare(&a, &b));
        }
    }
}

fn ordered(a: &Value, b: &Value) -> Result<Ordering, Error> {
    are_there(a, b)?;
    if let Some(order) = words::order(a, b) {
        let nothing =
            || Error::new(ErrorKind::InvalidOperation, "cannot compare a time with a missing value");
        return order?.ok_or_else(nothing);
    }
    match string_and_number(a, b) {
        Some((string, _)) => Err(mixed(string)),
        None => Ok(a.cmp(b)),
    }
}

fn equal(a: &Value, b: &Value) -> Result<bool, Error> {
    are_there(a, b)?;
    if let Some(order) = words::order(a, b) {
        return order.map(|order| order.is_some_and(Ordering::is_eq));
    }
    match string_and_number(a, b) {
        // They differ; but a string that reads as the number was meant to be equal.
        Some((string, number)) => {
            match string
                .trim()
                .parse::<f64>()
                .is_ok_and(|read| Some(read) == f64::try_from(number.clone()).ok())
            {
                true => Err(mixed(string)),
                false => Ok(false),
            }
        }
        None => Ok(a == b),
    }
}

fn are_there(a: &Value, b: &Value) -> Result<(), Error> {
    if a.is_undefined() || b.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    weigh::compared(a)?;
    weigh::compared(b)
}

fn string_and_number<'a>(a: &'a Value, b: &'a Value) -> Option<(&'a str, &'a Value)> {
    match (a.kind(), b.kind()) {
        (ValueKind::String, ValueKind::Number) => Some((a.as_str()?, b)),
        (ValueKind::Number, ValueKind::String) => Some((b.as_str()?, a)),
        _ => None,
    }
}

fn mixed(string: &str) -> Error {
    let words = format!(
        "cannot compare the string {:?} with a number; make a number of it: number(value)",
        cut(string, REPEATED)
    );
    Error::new(ErrorKind::InvalidOperation, words)
}
