//! The trace context of a request (W3C Trace Context), for the events in it.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use hookswitch_core::domain::{Event, is_traceparent};
use serde_json::value::{RawValue, to_raw_value};

/// Longer ones are not kept, as are longer extension attributes.
const LIMIT: usize = 4_096;
/// The maximum number of entries in `tracestate`.
const ENTRIES: usize = 32;
const KEY_LIMIT: usize = 256;
const VALUE_LIMIT: usize = 256;

/// `traceparent` and `tracestate` of a request, as extension attributes. What is not of the standard's form is ignored, as
/// the standard demands, and a `tracestate` without a `traceparent` too.
pub fn of(headers: &HeaderMap) -> BTreeMap<String, Box<RawValue>> {
    let [parent_name, state_name] = Event::TRACE_CONTEXT;
    let mut trace = BTreeMap::new();
    let mut keep =
        |name: &str, text: &str| to_raw_value(text).ok().map(|json| trace.insert(name.to_owned(), json));
    let mut parents =
        headers.get_all(parent_name).iter().map(|value| value.to_str().unwrap_or_default().trim());
    let (Some(parent), None) = (parents.next(), parents.next()) else { return trace };
    if !is_traceparent(parent) {
        return trace;
    }
    keep(parent_name, parent);
    let states: Option<Vec<&str>> =
        headers.get_all(state_name).iter().map(|value| value.to_str().ok()).collect();
    let state = states.unwrap_or_default().join(",");
    if is_state(&state) {
        keep(state_name, state.trim());
    }
    trace
}

/// Whether it is a list of `key=value` with each key once. Empty members are allowed.
fn is_state(text: &str) -> bool {
    let entries: Vec<&str> = text.split(',').map(|entry| entry.trim_matches([' ', '\t'])).collect();
    let mut keys: Vec<&str> = entries.iter().filter_map(|entry| Some(entry.split_once('=')?.0)).collect();
    keys.sort_unstable();
    let is_once = keys.windows(2).all(|pair| pair[0] != pair[1]);
    let all_good = entries.iter().filter(|entry| !entry.is_empty()).all(|entry| is_entry(entry));
    text.len() <= LIMIT && (1..=ENTRIES).contains(&keys.len()) && is_once && all_good
}

fn is_entry(entry: &str) -> bool {
    let Some((key, value)) = entry.split_once('=') else { return false };
    let is_key_byte = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let begins = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_value_byte = |b: u8| matches!(b, b' '..=b'~') && b != b'=';
    begins
        && key.len() <= KEY_LIMIT
        && key.bytes().all(is_key_byte)
        && (1..=VALUE_LIMIT).contains(&value.len())
        && value.bytes().all(is_value_byte)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn kept(headers: &[(&str, &str)]) -> Vec<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        of(&map).into_iter().map(|(name, value)| format!("{name} {}", value.get())).collect()
    }

    #[test]
    fn only_the_form_of_the_standard_is_kept() {
        let parent = |text: &str| kept(&[("traceparent", text)]).len();
        for good in [
            PARENT,
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff ",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes",
        ] {
            assert_eq!(parent(good), 1, "{good}");
        }
        for bad in [
            "",
            "hello",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-011",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.",
        ] {
            assert_eq!(parent(bad), 0, "{bad}");
        }
        assert_eq!(kept(&[("traceparent", PARENT), ("traceparent", PARENT)]).len(), 0, "two are none");
    }

    #[test]
    fn the_state_comes_with_the_parent() {
        let state = |state: &str| kept(&[("traceparent", PARENT), ("tracestate", state)]).len() == 2;
        for good in ["a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a@b=x y,, 0/*-_=~ ", "a=1,\tb=2"] {
            assert!(state(good), "{good}");
        }
        for bad in ["", ",", "a", "A=1", "=1", "a=", "a=1=2", "a=1,a=2", "@a=1"] {
            assert!(!state(bad), "{bad}");
        }
        let many = |n: usize| (0..n).map(|k| format!("k{k}=v")).collect::<Vec<_>>().join(",");
        assert!(state(&many(32)) && !state(&many(33)));
        assert_eq!(kept(&[("tracestate", "a=1")]).len(), 0);
        let both = kept(&[("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]);
        assert_eq!(both[1], r#"tracestate "a=1,b=2""#);
    }
}
