//! Fields of a request, with Meta's errors where they are missing or wrong.

use serde_json::Value;

use super::GraphError;

/// 131008: a field that this type needs.
pub fn mandatory(field: &str, kind: &str) -> GraphError {
    GraphError::new(131_008, format!("Parameter '{field}' is mandatory for type '{kind}'"))
}

/// 131009: a field with a wrong value.
pub fn invalid(details: impl Into<String>) -> GraphError {
    GraphError::new(131_009, details)
}

/// A string that must be there, not empty, of at most `limit` characters.
pub fn text<'a>(object: &'a Value, field: &str, kind: &str, limit: usize) -> Result<&'a str, GraphError> {
    match object.get(field) {
        None | Some(Value::Null) => Err(mandatory(field, kind)),
        Some(Value::String(s)) if s.is_empty() => Err(mandatory(field, kind)),
        Some(Value::String(s)) if within(s, limit) => Ok(s),
        Some(Value::String(_)) => {
            Err(invalid(format!("{kind}['{field}'] length invalid. Min length: 1, Max length: {limit}")))
        }
        Some(_) => Err(GraphError::parameter(format!("Param {kind}['{field}'] must be a string."))),
    }
}

/// A string that may be missing or empty.
pub fn optional_text<'a>(
    object: &'a Value,
    field: &str,
    kind: &str,
    limit: usize,
) -> Result<Option<&'a str>, GraphError> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) if s.is_empty() => Ok(None),
        Some(_) => text(object, field, kind, limit).map(Some),
    }
}

/// An array that must be there and not empty.
pub fn array<'a>(object: &'a Value, field: &str, kind: &str) -> Result<&'a [Value], GraphError> {
    match object.get(field) {
        None | Some(Value::Null) => Err(mandatory(field, kind)),
        Some(Value::Array(items)) if items.is_empty() => Err(mandatory(field, kind)),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(GraphError::parameter(format!("Param {kind}['{field}'] must be an array."))),
    }
}

/// Whether there are at most so many characters; counts only where the bytes leave a doubt.
pub fn within(s: &str, limit: usize) -> bool {
    s.len() <= limit || s.chars().count() <= limit
}
