//! The size that a template's value would have as text.

use std::{cell::Cell, collections::BTreeMap};

use minijinja::{Environment, Error, ErrorKind, Value, value::ValueKind};

use super::words::is_of_time;

/// A filter that passes a value on unless it is too large. Authors cannot write its name.
pub(super) const WEIGHED: &str = "#weighed";
/// A filter that copies a value for a namespace, without anything lazy or mutable.
pub(super) const SETTABLE: &str = "#settable";

/// Maximum size of a value as text, in bytes.
pub(super) const SIZE: usize = 1024 * 1024;
/// Maximum nesting of values.
pub(super) const DEPTH: usize = 64;
/// Maximum number of values visited in one rendering; a value counts each time it is weighed.
const VISITS: usize = 1_000_000;

thread_local! {
    static VISITED: Cell<usize> = const { Cell::new(0) };
}

/// Starts a rendering.
pub(super) fn begin() {
    VISITED.set(0);
}

/// Adds the filters.
pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_filter(WEIGHED, |value: Value| {
        let mut left = SIZE;
        if is_namespace(&value) {
            // Its initial values; later ones are checked when they are set.
            for key in value.try_iter()? {
                weigh(&value.get_item(&key)?, 1, &mut left)?;
            }
        } else if value.kind() != ValueKind::Plain {
            weigh(&value, 0, &mut left)?;
        }
        Ok::<_, Error>(value)
    });
    environment.add_filter(SETTABLE, |value: Value| copied(&value, 0, &mut SIZE.clone()));
}

fn too_large() -> Error {
    ErrorKind::OutOfFuel.into()
}

pub(super) fn take(left: &mut usize, bytes: usize) -> Result<(), Error> {
    *left = left.checked_sub(bytes).ok_or_else(too_large)?;
    VISITED.set(VISITED.get() + 1);
    if VISITED.get() > VISITS { Err(too_large()) } else { Ok(()) }
}

/// Counts a value that is compared, which takes time proportional to its size.
pub(super) fn compared(value: &Value) -> Result<(), Error> {
    let text = value.as_str().map_or(0, str::len);
    VISITED.set(VISITED.get() + text / 64);
    weigh(value, 0, &mut SIZE.clone())
}

fn weigh(value: &Value, depth: usize, left: &mut usize) -> Result<(), Error> {
    take(left, value.as_str().map_or(4, |text| text.len() + 2))?;
    match kind(value, depth)? {
        Kind::Single => Ok(()),
        Kind::List => value.try_iter()?.try_for_each(|item| weigh(&item, depth + 1, left)),
        Kind::Map(map) => map.iter().try_for_each(|(key, item)| {
            weigh(key, depth + 1, left)?;
            weigh(item, depth + 1, left)
        }),
    }
}

fn copied(value: &Value, depth: usize, left: &mut usize) -> Result<Value, Error> {
    take(left, value.as_str().map_or(4, |text| text.len() + 2))?;
    match kind(value, depth)? {
        Kind::Single => Ok(value.clone()),
        Kind::List => value.try_iter()?.map(|item| copied(&item, depth + 1, left)).collect(),
        Kind::Map(map) => map
            .iter()
            .map(|(key, item)| Ok((copied(key, depth + 1, left)?, copied(item, depth + 1, left)?)))
            .collect::<Result<BTreeMap<Value, Value>, Error>>()
            .map(Value::from),
    }
}

enum Kind<'a> {
    Single,
    List,
    Map(&'a BTreeMap<Value, Value>),
}

/// The shape of a value. Macros, loops and namespaces are mutable, or hold what is: they cannot be nested.
fn kind(value: &Value, depth: usize) -> Result<Kind<'_>, Error> {
    if depth > DEPTH {
        let what = format!("the values are nested more than {DEPTH} levels deep");
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    let alone = || {
        let what = "a namespace, a loop or a macro cannot be stored in another value";
        Err(Error::new(ErrorKind::InvalidOperation, what))
    };
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(Kind::List),
        ValueKind::Map => match value.downcast_object_ref::<BTreeMap<Value, Value>>() {
            Some(map) => Ok(Kind::Map(map)),
            None => alone(),
        },
        ValueKind::Plain if is_of_time(value) => Ok(Kind::Single),
        ValueKind::Plain => alone(),
        _ => Ok(Kind::Single),
    }
}

/// minijinja offers no other way to tell.
fn is_namespace(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace"))
}
