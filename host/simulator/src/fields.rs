//! The `fields` parameter of the Graph API.

use serde_json::{Map, Value};

use super::error::GraphError;

/// The named fields of an object and its id; all of them where none are named.
pub fn pick(object: Value, fields: Option<&str>) -> Value {
    let (Value::Object(mut object), Some(fields)) = (object.clone(), fields) else { return object };
    let mut picked = Map::new();
    for name in names(fields).chain(["id"]) {
        if let Some((name, value)) = object.remove_entry(name) {
            picked.insert(name, value);
        }
    }
    Value::Object(picked)
}

/// Checks that a type of object has the named fields.
///
/// # Errors
/// 100, as Graph words it.
pub fn check(fields: Option<&str>, known: &[&str], node: &str) -> Result<(), GraphError> {
    match names(fields.unwrap_or_default()).find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(GraphError::parameter(format!(
            "Tried accessing nonexisting field ({name}) on node type ({node})"
        ))),
    }
}

/// The names in a list of fields, without what each may select within itself: `throughput{level}`, `owner.limit(1)`.
pub fn names(fields: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let outer = fields.split(move |c: char| {
        match c {
            '{' | '(' => depth += 1,
            '}' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    outer
        .map(|field| field.split(['{', '.', '(']).next().unwrap_or_default().trim())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selection_within_a_field_is_no_field() {
        let named: Vec<_> = names("id, quality_score{score,date},owner.limit(1){name},,status").collect();
        assert_eq!(named, ["id", "quality_score", "owner", "status"]);
    }

    #[test]
    fn named_fields_are_picked_and_unknown_ones_refused() {
        let object = json!({"id": "1", "name": "x", "status": "APPROVED"});
        assert_eq!(pick(object.clone(), None), object);
        assert_eq!(pick(object, Some("status,language")), json!({"id": "1", "status": "APPROVED"}));
        assert_eq!(check(None, &[], "T"), Ok(()));
        assert_eq!(check(Some("name{a,b}"), &["name"], "T"), Ok(()));
        let refused = check(Some("name,nmae"), &["name"], "T").map_err(|error| error.message);
        assert_eq!(refused, Err("(#100) Tried accessing nonexisting field (nmae) on node type (T)".into()));
    }
}
