//! The API's description: valid, complete, and true of what is answered.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use serde_json::{Value, json};

use super::Office;
use crate::harness::{assert_described, description, http, misfits};

/// Each operation with its method and path.
fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = description()["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

#[tokio::test]
async fn the_api_is_described_as_it_is() {
    let office = Office::open().await;
    let host = office.host();
    let url = format!("{}/openapi.json", host.url());
    let served: Value = http().get(url).send().await.unwrap().json().await.unwrap();
    assert!(served == *description(), "openapi.json is outdated: cargo run -- openapi > openapi.json");
}

#[test]
fn the_parameters_of_a_path_are_those_in_its_template() {
    for (method, path, operation) in operations() {
        let named: HashSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let (in_path, others): (Vec<_>, Vec<_>) = parameters.partition(|parameter| parameter["in"] == "path");
        let declared: HashSet<&str> =
            in_path.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(declared, named, "{method} {path}");
        assert!(in_path.iter().all(|parameter| parameter["required"] == true), "{method} {path}");
        for other in others {
            assert!(other["in"] == "query" || other["in"] == "header", "{method} {path}: {other}");
            assert_eq!(other["required"], false, "{method} {path}: {other}");
        }
    }
}

#[test]
fn each_operation_has_a_name_of_its_own() {
    let names: Vec<&str> =
        operations().map(|(.., operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    for name in names {
        let verbs = [
            "get", "list", "create", "update", "delete", "add", "remove", "post", "import", "opt", "redrive",
            "discard", "resolve", "rerun", "check", "fix", "diff", "push", "resume", "stop", "try", "send",
            "revoke", "link", "withdraw", "set", "activate", "roll",
        ];
        assert!(verbs.iter().any(|verb| name.starts_with(verb)), "{name} begins with no verb");
    }
}

#[test]
fn each_response_is_described_and_each_problem_is_problem_json() {
    for (method, path, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap();
        if operation["security"].is_array() {
            for status in ["401", "403", "503"] {
                assert!(responses.contains_key(status), "{method} {path} lacks {status}");
            }
        }
        if operation["requestBody"].is_object() {
            for status in ["400", "413", "415"] {
                assert!(responses.contains_key(status), "{method} {path} lacks {status}");
            }
        }
        for (status, response) in responses {
            let told = response["description"].as_str().unwrap_or_default();
            assert!(!told.is_empty(), "{method} {path} {status} has no description");
            let media_types: Vec<&String> =
                response["content"].as_object().into_iter().flatten().map(|(m, _)| m).collect();
            if status.starts_with(['4', '5']) {
                assert_eq!(media_types, ["application/problem+json"], "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn each_schema_and_each_of_its_members_is_described() {
    let schemas = description()["components"]["schemas"].as_object().unwrap();
    let text = |schema: &Value| {
        schema["description"].as_str().or(schema["oneOf"][0]["description"].as_str()).map(str::len)
    };
    for (name, schema) in schemas {
        assert!(text(schema).is_some(), "{name}");
        let members = schema["properties"].as_object().into_iter().flatten();
        for (member, schema) in members {
            assert!(text(schema).is_some_and(|length| length > 5), "{name}.{member}: {schema}");
        }
        for example in schema["examples"].as_array().into_iter().flatten() {
            assert_eq!(misfits(schema, example, ""), Vec::<String>::new(), "the example of {name}");
        }
    }
}

#[tokio::test]
async fn the_examples_can_be_posted() {
    let content = &description()["paths"]["/v1/events"]["post"]["requestBody"]["content"];
    let readme = include_str!("../../README.md");
    let examples = readme.split("-d '").skip(1).map(|rest| rest.split('\'').next().unwrap());
    let mut examples: Vec<Value> = examples.map(|text| serde_json::from_str(text).unwrap()).collect();
    assert!(examples.len() >= 2, "{examples:?}");
    let schemas = &description()["components"]["schemas"];
    for form in ["PlainEvent", "CloudEvent"] {
        examples.extend(schemas[form]["examples"].as_array().unwrap().iter().cloned());
    }
    examples.push(json!([schemas["PlainEvent"]["examples"][0], schemas["CloudEvent"]["examples"][0]]));
    examples.push(json!([]));
    let office = Office::open().await;
    let host = office.host();
    for example in &examples {
        let schema = &content["application/json"]["schema"];
        assert_eq!(misfits(schema, example, ""), Vec::<String>::new(), "{example}");
        assert_eq!(host.post_event(example).await.status(), 202, "{example}");
    }
    let cloud_event = &schemas["CloudEvent"]["examples"][0];
    let batch = json!([cloud_event]);
    let media_type = "application/cloudevents-batch+json";
    assert_eq!(misfits(&content[media_type]["schema"], &batch, ""), Vec::<String>::new());
    assert_eq!(host.post(batch.to_string().into(), media_type).await.unwrap().status(), 202);
    for wrong in [
        json!({"data": {}}),
        json!({"type": "x", "data": {}, "nme": 1}),
        json!({"specversion": "1.0", "type": "x"}),
        json!({"type": "x".repeat(257), "data": {}}),
        json!([{"type": "x", "data": {}}, {"type": "x"}]),
    ] {
        assert_ne!(
            misfits(&content["application/json"]["schema"], &wrong, ""),
            Vec::<String>::new(),
            "{wrong}"
        );
        assert_eq!(host.post_event(&wrong).await.status(), 400, "{wrong}");
    }
}

#[test]
#[should_panic(expected = "418, which is not described")]
fn an_answer_that_is_not_described_is_noticed() {
    assert_described("GET", "/v1/people/ann?x=1", 418, None, &Value::Null);
}

/// The name that a schema gets from the lines that follow its `#[derive(…ToSchema…)]`.
fn schema_name<'a>(lines: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut given = None;
    for line in lines {
        if let Some((_, rest)) = line.split_once("schema(as = ") {
            given = rest.split([')', ',']).next();
        }
        let words: Vec<&str> = line.split([' ', '<', '(', ';']).filter(|word| !word.is_empty()).collect();
        let declared = words.iter().position(|word| matches!(*word, "struct" | "enum"));
        if !line.trim_start().starts_with('/')
            && let Some(at) = declared
        {
            return given.or_else(|| words.get(at + 1).copied());
        }
    }
    None
}

#[test]
fn no_two_types_have_a_schema_of_the_same_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("core/src")];
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let lines: Vec<&str> = text.lines().collect();
            for (index, line) in lines.iter().enumerate() {
                if line.contains("derive(") && line.contains("ToSchema") {
                    let name = schema_name(lines[index + 1..].iter().copied()).unwrap().to_owned();
                    files.entry(name).or_default().push(path.display().to_string());
                }
            }
        }
    }
    assert!(files.len() > 50, "{files:?}");
    files.retain(|_, files| files.len() > 1);
    // The description would keep only one of them.
    assert_eq!(files, BTreeMap::new());
}
