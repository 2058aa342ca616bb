#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hookswitch_core::domain::Event;
use jiff::Timestamp;
use serde_json::json;

use super::*;

const PLAIN: [(&str, &str); 1] = [("content-type", "application/json")];

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect()
}

fn post(pairs: &[(&str, &str)], body: &str) -> Result<Vec<Checked>, Problem> {
    let headers = headers(pairs);
    let way = Way::of(&headers)?.shown_by(body.as_bytes());
    events(way, &headers, body.as_bytes(), &defaults())
}

fn defaults() -> Defaults<'static> {
    Defaults { source: "/keys/shop", now: Timestamp::UNIX_EPOCH, trace: BTreeMap::new() }
}

fn json_post(body: &str) -> Result<Vec<Checked>, Problem> {
    post(&PLAIN, body)
}

fn one(result: Result<Vec<Checked>, Problem>) -> Checked {
    result.map_err(|problem| problem.detail().to_owned()).unwrap().pop().unwrap()
}

fn refusal(result: Result<Vec<Checked>, Problem>) -> (String, Vec<String>) {
    let problem = result.err().unwrap();
    (problem.code().to_owned(), problem.errors().iter().map(|e| format!("{} {}", e.at, e.detail)).collect())
}

const CLOUD_EVENT: &str = r#"{"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.created",
    "subject": "order-7", "time": "2026-11-23T09:00:00Z", "datacontenttype": "application/json",
    "traceparent": "00-1", "data": {"a": 1}}"#;

#[test]
fn a_plain_event_needs_type_and_data_only() {
    let event = one(json_post(r#"{"type": "order.created", "data": {"a": 1}}"#)).event;
    assert_eq!(event.kind, "order.created");
    assert_eq!(event.key.source, "/keys/shop");
    assert_eq!(event.key.id.len(), 36);
    assert_eq!(event.time, Timestamp::UNIX_EPOCH);
    assert_eq!(event.data.get(), r#"{"a": 1}"#);
}

#[test]
fn one_event_in_three_forms_is_the_same_event() {
    let structured =
        one(post(&[("content-type", "application/cloudevents+json; charset=utf-8")], CLOUD_EVENT));
    let as_json = one(json_post(CLOUD_EVENT));
    let binary = one(post(
        &[
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "7"),
            ("ce-source", "/shop"),
            ("ce-type", "order.created"),
            ("ce-subject", "order%2D7"),
            ("ce-time", "2026-11-23T10:00:00+01:00"),
            ("ce-traceparent", "00-1"),
        ],
        r#"{"a": 1}"#,
    ));
    let batch =
        one(post(&[("content-type", "application/cloudevents-batch+json")], &format!("[{CLOUD_EVENT}]")));
    for other in [&as_json, &binary, &batch] {
        assert_eq!(other.event.key, structured.event.key);
        assert_eq!(other.event.subject, structured.event.subject);
        assert_eq!(other.event.extensions.as_ref().unwrap().get(), r#"{"traceparent":"00-1"}"#);
        assert_eq!(other.sha256, structured.sha256);
    }
    let other = CLOUD_EVENT.replace(r#""a": 1"#, r#""a": 2"#);
    assert_ne!(one(json_post(&other)).sha256, structured.sha256);
}

#[test]
fn everything_wrong_is_told_with_its_place() {
    let (code, errors) = refusal(json_post(r#"{"typ": "x", "time": "soon", "subject": {}, "id": ""}"#));
    assert_eq!(code, "invalid_event");
    assert_eq!(
        errors,
        [
            "/typ unknown member; did you mean `type`?; the payload belongs in `data`",
            r#"/time expected a time such as 2026-11-23T09:00:00Z (RFC 3339), got "soon""#,
            "/subject expected a string, got an object or an array",
            "/id must not be empty; omit it if there is nothing to say",
            "/type missing; expected the kind of event, for example order.created",
            "/data missing; send {} if the event has no data",
        ]
    );
}

#[test]
fn a_batch_names_each_bad_event() {
    let batch = json!([
        {"specversion": "1.0", "id": "1", "source": "/a", "type": "t"},
        {"specversion": "0.3", "id": "2", "source": "/a", "type": "t"},
        3,
        {"specversion": "1.0", "id": "4", "source": "/a", "type": "t", "data_base64": "AA=="},
        {"specversion": "1.0", "id": "5", "source": "/a", "type": "t", "data_base64": "e30=", "data": null},
    ]);
    let (_, errors) = refusal(post(&[("content-type", BATCH)], &batch.to_string()));
    assert_eq!(
        errors,
        [
            r#"/1/specversion expected "1.0", got "0.3""#,
            "/2 expected an event, which is an object",
            r"/3/data_base64 expected JSON in base64, as only JSON is accepted: expected value at line 1 column 1",
            "/4/data_base64 must not be used together with `data`",
        ]
    );
    let many = format!("[{}]", vec!["{}"; BATCH_EVENTS + 1].join(","));
    for media_type in [BATCH, "application/json"] {
        assert_eq!(refusal(post(&[("content-type", media_type)], &many)).0, "batch_size");
        assert_eq!(post(&[("content-type", media_type)], " [] ").unwrap().len(), 0);
    }
}

#[test]
fn an_array_of_json_is_a_batch_in_either_form() {
    let plain = r#"{"type": "t", "data": 1}"#;
    let events = json_post(&format!(" [{plain}, {CLOUD_EVENT}, {plain}]")).unwrap();
    let kinds: Vec<&str> = events.iter().map(|checked| checked.event.kind.as_str()).collect();
    assert_eq!(kinds, ["t", "order.created", "t"]);
    assert_eq!(events[1].sha256, one(json_post(CLOUD_EVENT)).sha256);
    let (_, errors) = refusal(json_post(r#"[{"type": "t", "data": 1}, {"typ": "t", "data": 1}, 7]"#));
    assert_eq!(errors[0], "/1/typ unknown member; did you mean `type`?; the payload belongs in `data`");
    assert_eq!(errors[2], "/2 expected an event, which is an object");
    let other = post(&[("content-type", "application/cloudevents+json")], &format!("[{CLOUD_EVENT}]"));
    assert!(other.unwrap_err().detail().contains("send a batch as application/cloudevents-batch+json"));
    let data = one(post(
        &[PLAIN[0], ("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")],
        "[1]",
    ));
    assert_eq!(data.event.data.get(), "[1]", "in binary mode an array is data");
}

#[test]
fn json_in_base64_is_data() {
    let with = |data: &str| CLOUD_EVENT.replace(r#""data": {"a": 1}"#, data);
    let verbatim = one(json_post(CLOUD_EVENT));
    // With padding, without, and with an escape that JSON allows.
    for base64 in ["eyJhIjogMX0=", "eyJhIjogMX0", r"eyJhIjogMX0\u003d"] {
        let event = one(json_post(&with(&format!(r#""data_base64": "{base64}""#))));
        assert_eq!(
            (event.event.data.get(), event.sha256),
            (verbatim.event.data.get(), verbatim.sha256),
            "{base64}"
        );
    }
    for empty in [r#""data_base64": """#, r#""data_base64": null"#] {
        assert_eq!(one(json_post(&with(empty))).event.data.get(), "null", "{empty}");
    }
    for (wrong, why) in [
        (r#""data_base64": "?""#, "expected base64"),
        (r#""data_base64": "aGVsbG8=""#, "expected JSON in base64"),
        (r#""data_base64": "/w==""#, "expected JSON in base64"),
        (r#""data_base64": {}"#, "expected a string"),
        (r#""data_base64": 12"#, "expected a string"),
        (r#""data_base64": "eyJhIjogMX0=", "data": {"a": 1}"#, "must not be used together with `data`"),
        (r#""data": null, "data_base64": "eyJhIjogMX0=""#, "must not be used together with `data`"),
        // {"b":[{"a":1,"a":1}]}, "\u0000", and 66 levels.
        (
            r#""data_base64": "eyJiIjpbeyJhIjoxLCJhIjoxfV19""#,
            "the JSON in it has the member \"a\" more than once, at /b/0/a",
        ),
        (r#""data_base64": "Ilx1MDAwMCI=""#, "the JSON in it holds \\u0000"),
        (&format!(r#""data_base64": "{}{}""#, "W1tb".repeat(22), "XV1d".repeat(22)), "deeper than 64 levels"),
    ] {
        let (_, errors) = refusal(json_post(&with(wrong)));
        assert!(errors.len() == 1 && errors[0].starts_with("/data_base64 "), "{wrong}: {errors:?}");
        assert!(errors[0].contains(why), "{wrong}: {errors:?}");
    }
    let (_, errors) = refusal(json_post(r#"{"type": "t", "data_base64": "e30="}"#));
    assert!(errors[0].starts_with("/data_base64 unknown member"), "the plain form has none: {errors:?}");
}

#[test]
fn a_member_may_be_there_once() {
    let twice = |body: &str, pairs: &[(&str, &str)]| {
        let problem = post(pairs, body).err().unwrap();
        (problem.errors()[0].at.clone(), problem.place().unwrap(), problem.detail().to_owned())
    };
    let (at, place, detail) = twice("{\"type\": \"t\", \"data\": {},\n \"type\": \"t\"}", &PLAIN);
    assert_eq!((at.as_str(), place), ("/type", (2, 2)));
    assert_eq!(detail, r#"The JSON has the member "type" more than once, at /type."#);
    let deep = r#"{"a": [0, {"b": 1, "b": 2}]}"#;
    let event = CLOUD_EVENT.replace(r#"{"a": 1}"#, deep);
    assert_eq!(twice(&event, &[("content-type", "application/cloudevents+json")]).0, "/data/a/1/b");
    let batch = format!("[{CLOUD_EVENT},\n{event}]");
    for media_type in [BATCH, "application/json"] {
        let (at, (line, _), _) = twice(&batch, &[("content-type", media_type)]);
        assert_eq!((at.as_str(), line), ("/1/data/a/1/b", 6));
    }
    let binary = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    assert_eq!(twice(deep, &binary).0, "/a/1/b");
    let mut headers = headers(&binary);
    headers.append("ce-id", HeaderValue::from_static("2"));
    let problem = events(Way::Binary, &headers, b"1", &defaults()).err().unwrap();
    assert_eq!(problem.errors()[0].at, "ce-id");
}

#[test]
fn the_trace_of_a_request_is_that_of_events_without_one() {
    let trace =
        || Event::TRACE_CONTEXT.map(|name| (name.to_owned(), RawValue::from_string("\"x\"".into()).unwrap()));
    let post = |body: &str| {
        let defaults = Defaults { trace: trace().into(), ..defaults() };
        events(Way::One(Form::Plain), &HeaderMap::new(), body.as_bytes(), &defaults).unwrap().pop().unwrap()
    };
    let plain = r#"{"type": "t", "data": 1}"#;
    let event = post(plain);
    assert_eq!(event.event.extensions.unwrap().get(), r#"{"traceparent":"x","tracestate":"x"}"#);
    assert_eq!(event.sha256, one(json_post(plain)).sha256, "the producer said nothing of it");
    assert_eq!(post(CLOUD_EVENT).event.extensions.unwrap().get(), r#"{"traceparent":"00-1"}"#);
}

#[test]
fn what_is_no_event_is_refused_in_words() {
    let detail = |body: &str| json_post(body).err().unwrap().detail().to_owned();
    assert!(detail("{").starts_with("The body is not valid JSON: EOF while parsing"), "{}", detail("{"));
    assert!(detail("hello").starts_with("The body is not valid JSON"), "{}", detail("hello"));
    assert!(detail("3").contains("expected a JSON object"), "{}", detail("3"));
    let deep = format!(r#"{{"type": "t", "data": {}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert!(detail(&deep).contains("deeper than 64"));
    assert!(detail(r#"{"type": "t", "data": "\u0000"}"#).contains("\\u0000"));
    let problem = post(&[("content-type", "text/plain")], "x").err().unwrap();
    assert_eq!(problem.code(), "unsupported_media_type");
}

#[test]
fn attributes_have_limits() {
    let long = "x".repeat(257);
    let (_, errors) = refusal(json_post(&json!({"type": long, "data": 1}).to_string()));
    assert_eq!(errors[0], "/type has 257 bytes; at most 256 are taken");
    let (_, errors) = refusal(json_post(&json!({"type": "a b", "data": 1}).to_string()));
    assert!(errors[0].contains("white space"));
    let (_, errors) = refusal(json_post(&CLOUD_EVENT.replace("traceparent", "trace_parent")));
    assert!(errors[0].contains("lower-case letters and digits"));
    let (_, errors) = refusal(json_post(&CLOUD_EVENT.replace("application/json", "text/xml")));
    assert!(errors[0].contains("only JSON is taken"));
}

#[test]
fn attributes_are_texts_and_extensions_are_scalars() {
    for (name, value) in [("id", "7"), ("type", "true"), ("subject", "1.5"), ("source", "0")] {
        let (_, errors) = refusal(json_post(&format!(r#"{{"{name}": {value}, "data": 1}}"#)));
        assert!(errors[0].starts_with(&format!("/{name} expected a string, got {value}")), "{errors:?}");
    }
    let extension = |value: &str| {
        json_post(&CLOUD_EVENT.replace(r#""traceparent": "00-1""#, &format!(r#""sampled": {value}"#)))
    };
    for good in [r#""yes""#, "true", "-7"] {
        let kept = one(extension(good)).event.extensions.unwrap();
        assert_eq!(kept.get(), format!(r#"{{"sampled":{good}}}"#));
    }
    assert!(one(extension("null")).event.extensions.is_none(), "null is as good as absent");
    for bad in ["1.5", "5000000000", "{}", "[]", r#""a\nb""#] {
        let (_, errors) = refusal(extension(bad));
        assert!(errors[0].starts_with("/sampled "), "{bad}: {errors:?}");
    }
}

#[test]
fn times_are_of_rfc_3339() {
    let at = |time: &str| json_post(&json!({"type": "t", "data": 1, "time": time}).to_string());
    for good in ["2026-11-23T09:00:00Z", "2026-11-23t10:00:00.000+01:00"] {
        assert_eq!(one(at(good)).event.time, "2026-11-23T09:00:00Z".parse().unwrap());
    }
    for bad in [
        "2026-11-23",
        "2026-11-23T09:00:00",
        "2026-11-23 09:00:00Z",
        "20261123T090000Z",
        "1.7e9",
        "2026-11-23T09:00:00+02:00[Africa/Harare]",
        "2026-13-01T00:00:00Z",
    ] {
        assert!(refusal(at(bad)).1[0].contains("RFC 3339"), "{bad}");
    }
}

#[test]
fn headers_are_unquoted_and_decoded() {
    let binary = |headers: &[(&str, &str)]| {
        let mut all = vec![("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
        all.extend(headers);
        post(&all, "")
    };
    let event = one(binary(&[("ce-subject", r#""a \"b\" %25 Z%C3%BCrich""#)])).event;
    assert_eq!(event.subject.as_deref(), Some("a \"b\" % Zürich"));
    assert_eq!(event.data.get(), "null");
    for bad in ["%FF", "a%00b"] {
        assert!(refusal(binary(&[("ce-subject", bad)])).1[0].starts_with("ce-subject "), "{bad}");
        assert!(refusal(binary(&[("ce-trace", bad)])).1[0].starts_with("ce-trace "), "{bad}");
    }
    let (_, errors) = refusal(post(&[("ce-type", "t"), ("content-type", "application/json")], "{}"));
    assert_eq!(
        errors,
        [
            "ce-specversion expected 1.0, got nothing",
            "ce-id missing; CloudEvents requires it",
            "ce-source missing; CloudEvents requires it",
        ]
    );
    let xml = post(&[("ce-type", "t"), ("content-type", "application/xml")], "<a/>");
    assert_eq!(refusal(xml).0, "unsupported_media_type");
}

#[test]
fn only_utf_8_is_read() {
    let body = r#"{"type": "t", "data": 1}"#;
    assert!(post(&[("content-type", "application/json; charset=\"UTF-8\"")], body).is_ok());
    let latin = post(&[("content-type", "application/json; charset=iso-8859-1")], body);
    assert_eq!(refusal(latin).0, "unsupported_media_type");
    let headers = headers(&[("content-type", "application/json")]);
    let bytes = b"{\"type\": \"t\", \"data\": \"\xff\"}";
    let problem = events(Way::One(Form::Plain), &headers, bytes, &defaults()).err().unwrap();
    assert_eq!(problem.code(), "invalid_json");
}

#[test]
fn the_data_may_nest_64_deep_in_every_form() {
    let cloud_event = |data: &str| CLOUD_EVENT.replace(r#"{"a": 1}"#, data);
    for (levels, fits) in [(64, true), (65, false)] {
        let data = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let batch = format!("[{}]", cloud_event(&data));
        assert_eq!(json_post(&cloud_event(&data)).is_ok(), fits);
        assert_eq!(post(&[("content-type", BATCH)], &batch).is_ok(), fits);
        let binary = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
        assert_eq!(post(&binary, &data).is_ok(), fits);
    }
    let number = refusal(json_post(r#"{"type": "t", "data": {"a": 1e999}}"#));
    assert_eq!(number.0, "invalid_json");
}

#[test]
fn a_batch_with_an_event_that_is_too_large_is_too_large() {
    let large = cloud_event_of(EVENT_LIMIT);
    let batch = format!("[{CLOUD_EVENT}, {large}]");
    let (code, errors) = refusal(post(&[("content-type", BATCH)], &batch));
    assert_eq!(code, "event_too_large");
    assert!(errors.len() == 1 && errors[0].starts_with("/1 has "), "{errors:?}");
}

fn cloud_event_of(bytes: usize) -> String {
    CLOUD_EVENT.replace(r#"{"a": 1}"#, &format!("{:?}", "x".repeat(bytes)))
}
