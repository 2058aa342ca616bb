//! Media, locations, contact cards and reactions.

use serde_json::Value;

use super::{
    GraphError,
    fields::{invalid, mandatory, optional_text, text},
};

/// The longest caption, in characters.
const CAPTION: usize = 1024;

/// Media by `id` or by `link`. Whether there is media with the id is told elsewhere; links are not fetched.
pub fn check(object: &Value, kind: &'static str) -> Result<&'static str, GraphError> {
    source(object, kind)?;
    if let Some(caption) = optional_text(object, "caption", kind, CAPTION)?
        && matches!(kind, "audio" | "sticker")
    {
        return Err(invalid(format!("{kind} takes no caption, got {caption:?}")));
    }
    optional_text(object, "filename", kind, 240)?;
    Ok(kind)
}

/// One of `id` and `link`.
pub fn source(object: &Value, kind: &str) -> Result<(), GraphError> {
    let id = object.get("id").filter(|id| !id.is_null());
    let link = optional_text(object, "link", kind, 2048)?;
    match (id, link) {
        (None, None) => Err(mandatory("id or link", kind)),
        (Some(_), Some(_)) => Err(invalid(format!("{kind} takes either id or link, not both"))),
        (Some(Value::String(id)), None) if !id.is_empty() => Ok(()),
        (Some(Value::Number(_)), None) => Ok(()),
        (Some(_), None) => Err(invalid(format!("{kind}['id'] must be a media id"))),
        (None, Some(link)) if link.starts_with("https://") || link.starts_with("http://") => Ok(()),
        (None, Some(_)) => Err(GraphError::parameter(format!("Param {kind}['link'] is not a valid URL."))),
    }
}

/// A place on the map.
pub fn location(object: &Value) -> Result<&'static str, GraphError> {
    for (field, limit) in [("latitude", 90.0), ("longitude", 180.0)] {
        let value = object.get(field).ok_or_else(|| mandatory(field, "location"))?;
        let number = value.as_f64().or_else(|| value.as_str().and_then(|s| s.parse().ok()));
        if !number.is_some_and(|number: f64| number.abs() <= limit) {
            return Err(invalid(format!("location['{field}'] must be a number from -{limit} to {limit}")));
        }
    }
    optional_text(object, "name", "location", 1000)?;
    optional_text(object, "address", "location", 1000)?;
    Ok("location")
}

/// Contact cards.
pub fn contacts(cards: &Value) -> Result<&'static str, GraphError> {
    let cards = cards
        .as_array()
        .filter(|cards| !cards.is_empty())
        .ok_or_else(|| GraphError::parameter("Param contacts must be an array of at least one contact."))?;
    for card in cards {
        let name = card.get("name").ok_or_else(|| mandatory("name", "contacts"))?;
        text(name, "formatted_name", "contacts", 1000)?;
        // An empty list is what some clients send of a contact without numbers.
        if card.get("phones").is_some_and(|phones| !phones.is_null() && !phones.is_array()) {
            return Err(GraphError::parameter("Param contacts['phones'] must be an array."));
        }
    }
    Ok("contacts")
}

/// A reaction; an empty emoji takes it back.
pub fn reaction(object: &Value) -> Result<&'static str, GraphError> {
    text(object, "message_id", "reaction", 1024)?;
    match object.get("emoji") {
        Some(Value::String(emoji)) if emoji.len() <= 64 => Ok("reaction"),
        Some(_) => Err(invalid("reaction['emoji'] must be one emoji")),
        None => Err(mandatory("emoji", "reaction")),
    }
}
