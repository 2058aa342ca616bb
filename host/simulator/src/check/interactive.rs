//! Interactive messages: their frame, and which type takes what.

use serde_json::Value;

use super::{
    GraphError, carousel,
    choices::{buttons, link, list},
    elsewhere,
    fields::{invalid, mandatory, text},
    media,
};

/// The longest header and footer, in characters.
const LINE: usize = 60;
/// The longest body of all types but a list, in characters.
const BODY: usize = 1024;
/// The headers that a type with any header takes.
const HEADERS: &[&str] = &["text", "image", "video", "document"];
/// Meta's types.
const TYPES: &[&str] = &[
    "address_message",
    "button",
    "call_permission_request",
    "carousel",
    "catalog_message",
    "cta_url",
    "flow",
    "list",
    "location_request_message",
    "order_details",
    "order_status",
    "product",
    "product_list",
    "request_contact_info",
    "voice_call",
];

/// Checks the `interactive` object.
pub fn check(object: &Value) -> Result<(), GraphError> {
    let kind = text(object, "type", "interactive", 64)?;
    match kind {
        "button" => {
            frame(object, BODY, HEADERS)?;
            buttons(action(object)?)
        }
        "list" => {
            frame(object, 4096, &["text"])?;
            list(action(object)?)
        }
        "cta_url" => {
            frame(object, BODY, HEADERS)?;
            link(action(object)?)
        }
        "location_request_message" => {
            frame(object, BODY, &[])?;
            named(action(object)?, "send_location")
        }
        "request_contact_info" => {
            frame(object, BODY, &[])?;
            named(action(object)?, "request_contact_info")
        }
        "carousel" => {
            only_body(object)?;
            carousel::check(action(object)?)
        }
        "flow" => {
            frame(object, BODY, HEADERS)?;
            elsewhere::flow(action(object)?)
        }
        "product" => {
            optional_frame(object, &[])?;
            elsewhere::product(action(object)?)
        }
        "product_list" => {
            frame(object, BODY, &["text"])?;
            object.get("header").ok_or_else(|| mandatory("header", kind))?;
            elsewhere::product_list(action(object)?)
        }
        "catalog_message" => {
            frame(object, BODY, &[])?;
            elsewhere::catalog(action(object)?)
        }
        "voice_call" => {
            frame(object, BODY, HEADERS)?;
            elsewhere::voice_call(action(object)?)
        }
        "call_permission_request" => {
            optional_frame(object, &[])?;
            elsewhere::call_permission(action(object)?)
        }
        "address_message" => {
            frame(object, BODY, HEADERS)?;
            elsewhere::address(action(object)?)
        }
        "order_details" | "order_status" => Err(elsewhere::needs(kind, "a payment configuration")),
        other => Err(GraphError::parameter(format!(
            "Param interactive['type'] must be one of {{{}}} - got \"{other}\".",
            TYPES.join(", ")
        ))),
    }
}

fn action(object: &Value) -> Result<&Value, GraphError> {
    object.get("action").filter(|action| action.is_object()).ok_or_else(|| mandatory("action", "interactive"))
}

/// An action goes by its name.
pub fn named(action: &Value, name: &str) -> Result<(), GraphError> {
    if action["name"] == name {
        Ok(())
    } else {
        Err(invalid(format!("interactive['action']['name'] must be {name}")))
    }
}

/// Header, body and footer.
fn frame(object: &Value, body_limit: usize, headers: &[&str]) -> Result<(), GraphError> {
    let body = object.get("body").ok_or_else(|| mandatory("body", "interactive"))?;
    text(body, "text", "body", body_limit)?;
    around(object, headers)
}

/// As [`frame`], for types that may go without a body.
fn optional_frame(object: &Value, headers: &[&str]) -> Result<(), GraphError> {
    match given(object, "body") {
        Some(_) => frame(object, BODY, headers),
        None => around(object, headers),
    }
}

/// Header and footer.
fn around(object: &Value, headers: &[&str]) -> Result<(), GraphError> {
    if let Some(footer) = given(object, "footer") {
        text(footer, "text", "footer", LINE)?;
    }
    given(object, "header").map_or(Ok(()), |found| header(found, headers))
}

/// A body, and nothing beside it.
fn only_body(object: &Value) -> Result<(), GraphError> {
    match ["header", "footer"].into_iter().find(|part| given(object, part).is_some()) {
        Some(part) => Err(invalid(format!("interactive['{part}'] is not possible in a carousel"))),
        None => frame(object, BODY, &[]),
    }
}

fn given<'a>(object: &'a Value, part: &str) -> Option<&'a Value> {
    object.get(part).filter(|part| !part.is_null())
}

/// A header of one of these types.
pub fn header(header: &Value, possible: &[&str]) -> Result<(), GraphError> {
    let kind = text(header, "type", "header", 16)?;
    if !possible.contains(&kind) {
        return Err(invalid(format!("header type {kind:?} is not possible here; possible: {possible:?}")));
    }
    match header.get(kind) {
        None => Err(mandatory(kind, "header")),
        Some(_) if kind == "text" => text(header, "text", "header", LINE).map(drop),
        Some(source) => media::source(source, kind),
    }
}
