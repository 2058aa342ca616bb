//! From a body to events: one, or a batch.

use std::fmt;

use axum::http::{HeaderMap, StatusCode};
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    attributes::{Checked, Defaults},
    binary,
    envelope::{Form, Members, read},
    scan::{Refused, place, scan},
    way::{BATCH, EVENT_LIMIT, Way},
};
use crate::http::{Errors, Problem, ProblemError};

/// The maximum number of events in a batch.
pub const BATCH_EVENTS: usize = 1_000;
/// The maximum nesting depth of arrays and objects in the data.
pub const DEPTH: usize = 64;

/// The events in a body. What their producers left out comes from `defaults`.
pub fn events(
    way: Way,
    headers: &HeaderMap,
    body: &[u8],
    defaults: &Defaults<'_>,
) -> Result<Vec<Checked>, Problem> {
    match way {
        Way::One(form) => {
            check(body, DEPTH + 1)?;
            let members = parse::<Members<'_>>(body).map_err(|problem| hint(problem, body))?;
            let event = read(&members, form, "").map_err(wrong)?;
            Ok(vec![event.into_event(defaults)])
        }
        Way::Batch(form) => batch(form, body, defaults),
        Way::Binary => {
            check(body, DEPTH)?;
            binary::read(headers, body).map(|event| vec![event.into_event(defaults)])
        }
    }
}

fn check(body: &[u8], levels: usize) -> Result<(), Problem> {
    scan(body, levels).map_err(|refused| unfit(refused, "", body, 0))
}

/// What [`scan`] refused: a part of the body that begins at this offset, and at this JSON pointer.
fn unfit(mut refused: Refused, at: &str, body: &[u8], begins: usize) -> Problem {
    refused.pointer.insert_str(0, at);
    let (line, column) = place(body, begins + refused.offset);
    let problem = invalid(format!("The JSON {refused}.")).at(line, column);
    problem.with_errors(vec![ProblemError { at: refused.pointer, detail: refused.why.into_owned() }])
}

fn batch(form: Form, body: &[u8], defaults: &Defaults<'_>) -> Result<Vec<Checked>, Problem> {
    let Elements { first, all } = parse(body)?;
    if all > BATCH_EVENTS {
        let detail = format!("A batch may have {BATCH_EVENTS} events at most, not {all}.");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "batch_size", detail));
    }
    let texts = || first.iter().map(|element| element.get()).enumerate();
    let too_large: Vec<ProblemError> = texts()
        .filter(|(_, text)| text.len() > EVENT_LIMIT)
        .map(|(n, text)| ProblemError {
            at: format!("/{n}"),
            detail: format!("has {} bytes; the maximum is {EVENT_LIMIT}", text.len()),
        })
        .collect();
    if !too_large.is_empty() {
        let detail = "Events of the batch are too large, so none of it is accepted; send references to large data instead.";
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "event_too_large", detail);
        return Err(problem.with_errors(too_large));
    }
    let mut events = Vec::with_capacity(first.len());
    let mut errors = Errors::default();
    for (n, text) in texts() {
        let at = format!("/{n}");
        // Each is a part of the body.
        let begins = text.as_ptr().addr() - body.as_ptr().addr();
        scan(text.as_bytes(), DEPTH + 1).map_err(|refused| unfit(refused, &at, body, begins))?;
        match serde_json::from_str::<Members<'_>>(text) {
            Ok(members) => match read(&members, form, &at) {
                Ok(event) => events.push(event.into_event(defaults)),
                Err(more) => errors.append(more),
            },
            Err(_) => {
                errors.push(ProblemError { at, detail: "expected an event, which is an object".to_owned() })
            }
        }
    }
    if errors.is_empty() { Ok(events) } else { Err(wrong(errors)) }
}

/// The elements of an array, unparsed: as many as a batch may have, and how many there are in all.
struct Elements<'a> {
    first: Vec<&'a RawValue>,
    all: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
                let mut read = Elements { first: Vec::new(), all: 0 };
                while let Some(element) = elements.next_element()? {
                    if read.first.len() < BATCH_EVENTS {
                        read.first.push(element);
                    }
                    read.all += 1;
                }
                Ok(read)
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// Parses a body.
///
/// # Errors
/// 400 with line and column.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        // serde_json puts the place at the end; it stands in `line` and `column`.
        let text = text.split(" at line ").next().unwrap_or(&text);
        invalid(format!("The body is not valid JSON: {text}.")).at(error.line(), error.column())
    })
}

/// The problem with a hint: a batch with the wrong media type is a common mistake.
fn hint(problem: Problem, body: &[u8]) -> Problem {
    if body.trim_ascii_start().starts_with(b"[") {
        return invalid(format!(
            "The body must be one event (an object), not an array; send a batch as {BATCH}."
        ));
    }
    problem
}

fn invalid(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_json", detail)
}

/// The refusal of events with errors.
pub fn wrong(errors: Errors) -> Problem {
    let detail = match errors.listed() {
        [one] => format!("The event is invalid: {}: {}.", one.at, one.detail),
        _ => format!("There are {} errors; see `errors`.", errors.len()),
    };
    Problem::new(StatusCode::BAD_REQUEST, "invalid_event", detail).with_errors(errors)
}

#[cfg(test)]
mod tests;
