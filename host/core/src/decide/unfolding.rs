//! Bounded versions of the Rhai functions that unfold what a value refers to.
//!
//! A string in an array is a reference: an array of 10,000 references to one string of 200 KB takes 160 KB, but 2 GB when
//! printed. Between two looks at the budget one native function runs, so each function that prints, compares or multiplies
//! what values refer to is replaced by one that stops at a limit. `decide::tests::natives` calls every function of the
//! engine with such values to ensure this.

use std::{
    cmp::Ordering,
    fmt::Write,
    ops::{Range, RangeInclusive},
};

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, FuncRegistration, ImmutableString, Map, Position};

use super::{budget, ports::Call, value};
use crate::bounds::Bounded;

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// Maximum nesting of values that are printed or compared.
const DEPTH: usize = 64;
/// Bytes compared between two looks at the clock.
const COMPARED: usize = 256 * 1024;

/// Replaces these functions.
pub fn register(engine: &mut Engine) {
    for name in ["to_string", "to_debug", "print", "debug"] {
        // Pure, so that constants can be printed too.
        let pure = || FuncRegistration::new(name).with_purity(true);
        let write = if matches!(name, "to_string" | "print") { write_items } else { write_array };
        pure().register_into_engine(engine, move |array: &mut Array| written(array, write));
        pure().register_into_engine(engine, |map: &mut Map| written(map, write_map));
        // Without its captured values.
        pure().register_into_engine(engine, |function: &mut FnPtr| format!("Fn({})", function.fn_name()));
    }
    engine
        .register_fn("to_json", |map: &mut Map| -> Answer<String> { Ok(value::json_of(map, budget::TEXT)?) });
    engine.register_fn("replace", |text: &mut ImmutableString, find: &str, with: &str| {
        replace(text, find, with)
    });
    engine.register_fn("replace", |text: &mut ImmutableString, find: char, with: &str| {
        replace(text, find.encode_utf8(&mut [0; 4]), with)
    });
    engine.register_fn("replace", |text: &mut ImmutableString, find: &str, with: char| {
        replace(text, find, with.encode_utf8(&mut [0; 4]))
    });
    // Rhai's own returns an iterator that each copy holds in full: an array of 10,000 iterators takes gigabytes.
    engine.register_fn("chars", |text: &str| chars(text, 0, i64::MAX));
    engine.register_get("chars", |text: &mut ImmutableString| chars(text, 0, i64::MAX));
    engine.register_fn("chars", |text: &str, start: i64| chars(text, start, i64::MAX));
    engine.register_fn("chars", chars);
    engine.register_fn("chars", |text: &str, range: Range<i64>| {
        chars(text, range.start, range.end.saturating_sub(range.start))
    });
    engine.register_fn("chars", |text: &str, range: RangeInclusive<i64>| {
        chars(text, *range.start(), range.end().saturating_sub(*range.start()).saturating_add(1))
    });
    engine.register_fn("sort", |array: &mut Array| sort(array, |order| order));
    engine.register_fn("sort_desc", |array: &mut Array| sort(array, Ordering::reverse));
    engine.register_fn("order", |mut array: Array| sort(&mut array, |order| order).map(|()| array));
    engine.register_fn("order_desc", |mut array: Array| sort(&mut array, Ordering::reverse).map(|()| array));
    engine.register_fn("==", |a: Array, b: Array| Comparing::default().arrays(&a, &b, 0));
    engine.register_fn("!=", |a: Array, b: Array| Comparing::default().arrays(&a, &b, 0).map(|same| !same));
    engine.register_fn("==", |a: Map, b: Map| Comparing::default().maps(&a, &b, 0));
    engine.register_fn("!=", |a: Map, b: Map| Comparing::default().maps(&a, &b, 0).map(|same| !same));
}

/// The error for a string that is too long.
pub fn too_large<T>() -> Answer<T> {
    Err(EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into())
}

/// Prints a value. If the result is too large, the call ends at its next operation and the value is emptied: if printing
/// fails, or the printed string is larger than allowed, Rhai prints the value itself, in full.
fn written<T: Default>(
    value: &mut T,
    write: fn(&mut Bounded, &T, usize) -> std::fmt::Result,
) -> ImmutableString {
    let mut text = Bounded::new(budget::TEXT - '…'.len_utf8());
    if write(&mut text, value, 0).is_err() {
        drop(std::mem::take(value));
        Call::current(|call| call.budget.text_too_large.set(true));
    }
    text.beginning().into()
}

/// Prints a value as Rhai does for debugging: strings in quotes, `[…]`, `#{…}`.
pub fn write(out: &mut Bounded, value: &Dynamic, depth: usize) -> std::fmt::Result {
    if depth > DEPTH {
        return Err(std::fmt::Error);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return write!(out, "{:?}", text.as_str());
    }
    if let Ok(array) = value.as_array_ref() {
        return write_array(out, &array, depth + 1);
    }
    if let Ok(map) = value.as_map_ref() {
        return write_map(out, &map, depth + 1);
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        return write!(out, "Fn({})", function.fn_name());
    }
    if value.is_unit() {
        return out.write_str("()");
    }
    write!(out, "{value:?}")
}

fn write_array(out: &mut Bounded, array: &Array, depth: usize) -> std::fmt::Result {
    out.write_char('[')?;
    for (index, item) in array.iter().enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        write(out, item, depth)?;
    }
    out.write_char(']')
}

/// Writes an array in a string for people: as in templates, the items with commas between them.
fn write_items(out: &mut Bounded, array: &Array, depth: usize) -> std::fmt::Result {
    if depth > DEPTH {
        return Err(std::fmt::Error);
    }
    for (index, item) in array.iter().enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        if let Ok(text) = item.as_immutable_string_ref() {
            out.write_str(&text)?;
        } else if let Ok(array) = item.as_array_ref() {
            write_items(out, &array, depth + 1)?;
        } else {
            write(out, item, depth)?;
        }
    }
    Ok(())
}

fn write_map(out: &mut Bounded, map: &Map, depth: usize) -> std::fmt::Result {
    out.write_str("#{")?;
    for (index, (key, item)) in map.iter().enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        write!(out, "{:?}: ", key.as_str())?;
        write(out, item, depth)?;
    }
    out.write_char('}')
}

/// Rhai's own builds a string of any size before measuring it.
fn replace(text: &mut ImmutableString, find: &str, with: &str) -> Answer<()> {
    let found = text.matches(find).count();
    if text.len() - found * find.len() + found * with.len() > budget::TEXT {
        return too_large();
    }
    *text = text.replace(find, with).into();
    Ok(())
}

/// Returns up to `length` characters of a string from `start` on; a negative `start` counts from the end.
fn chars(text: &str, start: i64, length: i64) -> Answer<Array> {
    let start = if start < 0 { start.saturating_add(text.chars().count() as i64).max(0) } else { start };
    let (start, length) = (usize::try_from(start).unwrap_or(0), usize::try_from(length).unwrap_or(0));
    let some: Array =
        text.chars().skip(start).take(length).take(budget::ITEMS + 1).map(Dynamic::from).collect();
    if some.len() > budget::ITEMS {
        return Err(EvalAltResult::ErrorDataTooLarge("Size of array".to_owned(), Position::NONE).into());
    }
    Ok(some)
}

/// Sorts values of one type.
fn sort(array: &mut Array, direction: fn(Ordering) -> Ordering) -> Answer<()> {
    let Some(kind) = array.first().map(Dynamic::type_id) else { return Ok(()) };
    if array.iter().any(|item| item.type_id() != kind) {
        return Err("cannot sort items of different types".into());
    }
    let length = |item: &Dynamic| item.as_immutable_string_ref().map_or(8, |text| text.len());
    let longest = array.iter().map(length).max().unwrap_or(0);
    let comparisons = array.len() * (array.len().ilog2() as usize + 1);
    // Up to a tenth of the time limit; longer strings rarely have equal beginnings.
    if longest.saturating_mul(comparisons) > 64 * 1024 * 1024 && longest > 4_096 {
        return Err("cannot sort strings that are so long".into());
    }
    let first = &array[0];
    let sortable =
        first.is_int() || first.is_float() || first.is_char() || first.is_bool() || first.is_unit();
    if !sortable && !first.is_string() {
        return Err(format!("cannot sort items of this type: {}", value::kind_of(first)).into());
    }
    array.sort_by(|a, b| direction(compare(a, b)));
    Ok(())
}

fn compare(a: &Dynamic, b: &Dynamic) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return a.cmp(&b);
    }
    if let (Ok(a), Ok(b)) = (a.as_float(), b.as_float()) {
        return a.total_cmp(&b);
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return a.as_str().cmp(b.as_str());
    }
    if let (Ok(a), Ok(b)) = (a.as_char(), b.as_char()) {
        return a.cmp(&b);
    }
    a.as_bool().unwrap_or_default().cmp(&b.as_bool().unwrap_or_default())
}

/// A comparison of two values that looks at the budget from time to time.
#[derive(Default)]
struct Comparing {
    bytes: usize,
}

impl Comparing {
    fn arrays(&mut self, a: &Array, b: &Array, depth: usize) -> Answer<bool> {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (a, b) in a.iter().zip(b) {
            if !self.values(a, b, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn maps(&mut self, a: &Map, b: &Map, depth: usize) -> Answer<bool> {
        if a.len() != b.len() {
            return Ok(false);
        }
        for ((key_a, a), (key_b, b)) in a.iter().zip(b) {
            if key_a != key_b || !self.values(a, b, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn values(&mut self, a: &Dynamic, b: &Dynamic, depth: usize) -> Answer<bool> {
        if depth > DEPTH {
            return Err(format!("cannot compare values that are nested more than {DEPTH} levels deep").into());
        }
        self.count(16)?;
        if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
            self.count(if a.len() == b.len() { a.len() } else { 0 })?;
            return Ok(a.as_str() == b.as_str());
        }
        if let (Ok(a), Ok(b)) = (a.as_array_ref(), b.as_array_ref()) {
            return self.arrays(&a, &b, depth + 1);
        }
        if let (Ok(a), Ok(b)) = (a.as_map_ref(), b.as_map_ref()) {
            return self.maps(&a, &b, depth + 1);
        }
        let number = |value: &Dynamic| value.as_float().or_else(|_| value.as_int().map(|int| int as f64));
        Ok(match (number(a), number(b)) {
            (Ok(_), Ok(_)) if a.is_int() && b.is_int() => a.as_int() == b.as_int(),
            (Ok(a), Ok(b)) => a == b,
            _ => {
                a.type_id() == b.type_id()
                    && (a.is_unit()
                        || a.is_bool() && a.as_bool() == b.as_bool()
                        || a.is_char() && a.as_char() == b.as_char())
            }
        })
    }

    fn count(&mut self, bytes: usize) -> Answer<()> {
        self.bytes += bytes;
        if self.bytes < COMPARED {
            return Ok(());
        }
        self.bytes = 0;
        match Call::current(|call| call.budget.late()).flatten() {
            Some(why) => Err(EvalAltResult::ErrorTerminated(why.into(), Position::NONE).into()),
            None => Ok(()),
        }
    }
}
