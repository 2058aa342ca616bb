//! How much a value of a template would take as a text.

use std::{cell::Cell, collections::BTreeMap};

use minijinja::{Environment, Error, ErrorKind, Value, value::ValueKind};

/// The filter that lets a value pass that is not too large. No author can write its name.
pub(super) const WEIGHED: &str = "#weighed";
/// The filter that gives what a namespace may hold: a copy without anything lazy or changing.
pub(super) const SETTABLE: &str = "#settable";

/// What a value may take as a text, in bytes.
pub(super) const SIZE: usize = 1024 * 1024;
/// The deepest that values may stand in values.
const DEPTH: usize = 64;
/// How many values are visited in a rendering, each time that one of them is weighed.
const VISITS: usize = 1_000_000;

thread_local! {
    static VISITED: Cell<usize> = const { Cell::new(0) };
}

/// A rendering begins.
pub(super) fn begin() {
    VISITED.set(0);
}

/// Adds the filters.
pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_filter(WEIGHED, |value: Value| {
        let mut left = SIZE;
        if is_namespace(&value) {
            // What it was made with; what it is given later is looked at then.
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

fn take(left: &mut usize, bytes: usize) -> Result<(), Error> {
    *left = left.checked_sub(bytes).ok_or_else(too_large)?;
    VISITED.set(VISITED.get() + 1);
    if VISITED.get() > VISITS { Err(too_large()) } else { Ok(()) }
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

/// What a value holds. Macros, loops and namespaces change, or hold what changes: they stand alone.
fn kind(value: &Value, depth: usize) -> Result<Kind<'_>, Error> {
    if depth > DEPTH {
        let what = format!("the values nest more than {DEPTH} deep");
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    let alone = || {
        let what = "a namespace, a loop or a macro cannot stand in another value";
        Err(Error::new(ErrorKind::InvalidOperation, what))
    };
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => Ok(Kind::List),
        ValueKind::Map => match value.downcast_object_ref::<BTreeMap<Value, Value>>() {
            Some(map) => Ok(Kind::Map(map)),
            None => alone(),
        },
        ValueKind::Plain => alone(),
        _ => Ok(Kind::Single),
    }
}

/// minijinja tells no other way.
fn is_namespace(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace"))
}
