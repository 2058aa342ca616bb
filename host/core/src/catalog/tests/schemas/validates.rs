//! As much of JSON Schema as the schemas here use; a word that is not known fails the test.

use serde_json::Value;

/// The first thing that is wrong with a value.
pub fn fault(schema: &Value, value: &Value) -> Option<String> {
    check(schema, schema, value, "").err()
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Value::Object(words) = schema else {
        return if schema == &Value::Bool(false) { Err(format!("{at}: must not be there")) } else { Ok(()) };
    };
    let fits = |schema: &Value| check(root, schema, value, at).is_ok();
    let all = |key: &str| words[key].as_array().into_iter().flatten();
    for (word, said) in words {
        let is_right = match word.as_str() {
            "$schema" | "title" | "description" | "$defs" | "then" | "else" | "additionalProperties" => true,
            "$ref" => {
                let path = said.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(path).unwrap(), value, at)?;
                true
            }
            "type" => match said {
                Value::Array(types) => types.iter().any(|name| is_of(value, name)),
                name => is_of(value, name),
            },
            "enum" => said.as_array().unwrap().contains(value),
            "const" => said == value,
            "pattern" => value.as_str().is_none_or(|text| matches(said.as_str().unwrap(), text)),
            "minLength" => {
                value.as_str().is_none_or(|text| text.chars().count() as u64 >= said.as_u64().unwrap())
            }
            "maxLength" => {
                value.as_str().is_none_or(|text| text.chars().count() as u64 <= said.as_u64().unwrap())
            }
            "minimum" => value.as_f64().is_none_or(|number| number >= said.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= said.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= said.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= said.as_u64().unwrap()),
            "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= said.as_u64().unwrap()),
            "maxProperties" => value.as_object().is_none_or(|map| map.len() as u64 <= said.as_u64().unwrap()),
            "required" => value.as_object().is_none_or(|map| {
                said.as_array().unwrap().iter().all(|key| map.contains_key(key.as_str().unwrap()))
            }),
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, said, item, &format!("{at}/{n}"))?;
                }
                true
            }
            "properties" => {
                let known = said.as_object().unwrap();
                for (key, value) in value.as_object().into_iter().flatten() {
                    let other = words.get("additionalProperties").unwrap_or(&Value::Bool(true));
                    check(root, known.get(key).unwrap_or(other), value, &format!("{at}/{key}"))?;
                }
                true
            }
            "anyOf" => all("anyOf").any(fits),
            "oneOf" => all("oneOf").filter(|schema| fits(schema)).count() == 1,
            "allOf" => {
                for schema in all("allOf") {
                    check(root, schema, value, at)?;
                }
                true
            }
            "if" => {
                let then = if fits(said) { "then" } else { "else" };
                check(root, words.get(then).unwrap_or(&Value::Bool(true)), value, at)?;
                true
            }
            other => panic!("{at}: `{other}` is not known here"),
        };
        if !is_right {
            return Err(format!("{at}: {word}"));
        }
    }
    if !words.contains_key("properties")
        && let Some(other) = words.get("additionalProperties")
    {
        for (key, value) in value.as_object().into_iter().flatten() {
            check(root, other, value, &format!("{at}/{key}"))?;
        }
    }
    Ok(())
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("no such type: {other}"),
    }
}

/// A pattern may be anywhere in the text.
fn matches(pattern: &str, text: &str) -> bool {
    regex::Regex::new(pattern).unwrap().is_match(text)
}
