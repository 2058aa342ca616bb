//! What the API's description says of an answer: every answer that a test gets is held against it.

use std::{fs, path::Path, sync::OnceLock};

use serde_json::Value;

/// The description that is kept in the repository; a test holds that it is the served one.
pub fn description() -> &'static Value {
    static DESCRIPTION: OnceLock<Value> = OnceLock::new();
    DESCRIPTION.get_or_init(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi.json");
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
    })
}

/// Asserts that the description declares this answer: its status, and a body of this media type that fits the schema.
#[track_caller]
pub fn assert_described(method: &str, path: &str, status: u16, media_type: Option<&str>, body: &Value) {
    let path = path.split('?').next().unwrap();
    let (template, operations) = description()["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(template, _)| fits(template, path))
        // `/v1/people/import` before `/v1/people/{username}`.
        .min_by_key(|(template, _)| template.contains('{'))
        .unwrap_or_else(|| panic!("{path} is not described"));
    let response = &operations[method.to_lowercase()]["responses"][status.to_string()];
    assert!(response.is_object(), "{method} {template} answered {status}, which is not described: {body}");
    match (&response["content"], media_type) {
        (Value::Null, _) => {
            assert!(body.is_null(), "{method} {template} {status} should have no body: {body}")
        }
        (content, media_type) => {
            let schema = &content[media_type.unwrap_or_default()]["schema"];
            assert!(schema.is_object(), "{method} {template} {status}: {media_type:?} is not described");
            let misfits = misfits(schema, body, "");
            assert!(misfits.is_empty(), "{method} {template} {status}: {misfits:?}: {body}");
        }
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// Where a value does not fit a schema, in the words of JSON Schema that the description uses. An unknown word panics.
pub fn misfits(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (word, said) in schema.as_object().unwrap() {
        let all = || said.as_array().unwrap().iter();
        match word.as_str() {
            "$ref" => {
                let schema = description().pointer(said.as_str().unwrap().trim_start_matches('#'));
                wrong.extend(misfits(schema.unwrap_or_else(|| panic!("{said} leads nowhere")), value, at));
            }
            "type" => {
                let types = said.as_array().cloned().unwrap_or_else(|| vec![said.clone()]);
                if !types.iter().any(|one| is_a(one.as_str().unwrap(), value)) {
                    wrong.push(format!("{at}: expected {said}, got {value}"));
                }
            }
            "oneOf" => {
                let fitting = all().filter(|schema| misfits(schema, value, at).is_empty()).count();
                if fitting != 1 {
                    wrong.push(format!("{at}: fits {fitting} of {said}"));
                }
            }
            "allOf" => wrong.extend(all().flat_map(|schema| misfits(schema, value, at))),
            "enum" if !all().any(|one| one == value) => {
                wrong.push(format!("{at}: {value} is none of {said}"))
            }
            "const" if said != value => wrong.push(format!("{at}: {value} is not {said}")),
            "required" => {
                let missing = all().filter(|name| value.get(name.as_str().unwrap()).is_none());
                wrong.extend(missing.map(|name| format!("{at}: {name} is missing")));
            }
            "properties" => {
                let given = said.as_object().unwrap().iter().filter_map(|(n, s)| Some((n, s, value.get(n)?)));
                wrong.extend(
                    given.flat_map(|(name, schema, value)| misfits(schema, value, &format!("{at}/{name}"))),
                );
            }
            "additionalProperties" if *said == false => {
                let known = &schema["properties"];
                let unknown =
                    value.as_object().into_iter().flatten().filter(|(name, _)| known.get(name).is_none());
                wrong.extend(unknown.map(|(name, _)| format!("{at}: {name} is unknown")));
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                wrong.extend(items.flat_map(|(n, value)| misfits(said, value, &format!("{at}/{n}"))));
            }
            "minimum" if value.as_f64() < said.as_f64() && value.is_number() => {
                wrong.push(format!("{at}: {value} is below {said}"));
            }
            "maxLength" => {
                let length = value.as_str().map_or(0, |text| text.chars().count());
                if said.as_u64().is_some_and(|most| length as u64 > most) {
                    wrong.push(format!("{at}: {length} characters are more than {said}"));
                }
            }
            "maxItems" => {
                let length = value.as_array().map_or(0, Vec::len);
                if said.as_u64().is_some_and(|most| length as u64 > most) {
                    wrong.push(format!("{at}: {length} items are more than {said}"));
                }
            }
            "pattern" if said == "^1\\.0$" && value != "1.0" => {
                wrong.push(format!("{at}: {value} is not 1.0"))
            }
            "enum" | "const" | "additionalProperties" | "minimum" | "maximum" | "default" | "pattern" => {}
            "description" | "examples" | "example" | "format" | "title" | "propertyNames" => {}
            "contentEncoding" | "contentMediaType" => {}
            word => panic!("the description says {word:?}, which this test cannot read"),
        }
    }
    wrong
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        kind => panic!("unknown type {kind:?}"),
    }
}
