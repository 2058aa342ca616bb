//! Answers of services as a case gives them: what a plugin requests in a case never reaches anybody.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use url::Url;

use super::{
    findings::Finding,
    yaml::{Kind, Node},
};
use crate::decide::{
    duration,
    plugin::{Answering, Http, HttpAnswer, HttpError, HttpRequest},
};

/// An answer that a case gives.
#[derive(Clone, Debug)]
pub struct Answer {
    method: String,
    url: String,
    /// How long the service takes.
    after: Duration,
    what: Result<HttpAnswer, HttpError>,
}

pub(super) const KEYS: [&str; 7] = ["method", "url", "status", "body", "headers", "after", "error"];

/// What `error` can be.
const ERRORS: [&str; 3] = ["timeout", "refused", "too_large"];

/// Reads the answers of a case.
pub fn answers(node: &Node, findings: &mut Vec<Finding>) -> Vec<Answer> {
    node.items(findings).iter().filter_map(|item| answer(item, findings)).collect()
}

fn answer(node: &Node, findings: &mut Vec<Finding>) -> Option<Answer> {
    let before = findings.len();
    let fields = node.fields(&KEYS, findings)?;
    let url = match fields.text("url", findings) {
        Some(url) => url,
        None => {
            let finding = Finding::at(&fields.place, "`url` is missing");
            findings.push(finding.help("name the address that the plugin requests"));
            return None;
        }
    };
    let method =
        fields.text("method", findings).map_or_else(|| "GET".to_owned(), |method| method.text.to_uppercase());
    let after =
        fields.parsed("after", duration, findings).map_or(Duration::ZERO, |after| after.unsigned_abs());
    let error = match fields.text("error", findings) {
        None => None,
        Some(error) => match error.text.as_str() {
            "timeout" => Some(HttpError::Timeout),
            "refused" => Some(HttpError::Failed("connection refused".to_owned())),
            "too_large" => Some(HttpError::TooLarge),
            other => {
                let finding = Finding::at(&error.place, format!("unknown error `{other}`"));
                findings.push(finding.help(format!("one of {}", ERRORS.join(", "))));
                None
            }
        },
    };
    let status = match fields.get("status") {
        None => 200,
        Some(node) => match node.json().as_u64().and_then(|status| u16::try_from(status).ok()) {
            Some(status @ 100..=599) => status,
            _ => {
                findings.push(node.wrong("an HTTP status from 100 to 599"));
                200
            }
        },
    };
    let body = match fields.get("body") {
        None => String::new(),
        Some(node) => match node.json() {
            serde_json::Value::String(text) => text,
            value => value.to_string(),
        },
    };
    let headers = match fields.get("headers") {
        None => Vec::new(),
        Some(node) => match &node.value {
            Kind::Map(entries) => entries
                .iter()
                .filter_map(|(name, value)| Some((name.text.to_lowercase(), value.text(findings)?.text)))
                .collect(),
            _ => {
                findings.push(node.wrong("a map of names and values"));
                Vec::new()
            }
        },
    };
    let given = ["status", "body", "headers"].into_iter().find(|key| fields.get(key).is_some());
    if let (Some(_), Some(key)) = (&error, given) {
        let finding = Finding::at(&fields.place, format!("an answer has either `error` or `{key}`"));
        findings.push(finding);
    }
    let what = match error {
        Some(error) => Err(error),
        None => Ok(HttpAnswer { status, headers, body: body.into_bytes() }),
    };
    (findings.len() == before).then_some(Answer { method, url: url.text, after, what })
}

/// Gives the answers of one run of a case, and remembers the requests that it has none for.
pub struct Rehearsed {
    answers: Vec<Answer>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How often each answer was given.
    given: Vec<usize>,
    /// Methods and addresses.
    unanswered: Vec<(String, String)>,
}

impl Rehearsed {
    /// With the answers of a case.
    pub fn new(answers: &[Answer]) -> Arc<Rehearsed> {
        let state = State { given: vec![0; answers.len()], unanswered: Vec::new() };
        Arc::new(Rehearsed { answers: answers.to_vec(), state: Mutex::new(state) })
    }

    /// The requests that the case has no answer for, each once, as methods and addresses.
    pub fn unanswered(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).unanswered.clone()
    }

    /// The answer to a request. Of several that are for it each is given once, and the last as often as it is asked for.
    fn answer(&self, request: &HttpRequest) -> Result<HttpAnswer, HttpError> {
        let url = Url::parse(&request.url)
            .map_err(|_| HttpError::Denied(format!("{:?} is not a URL", request.url)))?;
        if !request.allowed.iter().any(|allowed| allowed.allows_url(&url)) {
            return Err(HttpError::Denied(format!("plugin.yaml does not allow {url}")));
        }
        let named = request.headers.iter().flat_map(|(_, value)| secrets(value));
        for secret in named {
            if !request.secrets.iter().any(|known| known == secret) {
                return Err(HttpError::Denied(format!("plugin.yaml does not name the secret {secret}")));
            }
        }
        let is_for = |answer: &Answer| {
            answer.method == request.method
                && (answer.url == request.url || Url::parse(&answer.url).is_ok_and(|of| of == url))
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting: Vec<usize> =
            (0..self.answers.len()).filter(|index| is_for(&self.answers[*index])).collect();
        let next = fitting.iter().find(|index| state.given[**index] == 0).or(fitting.last());
        let Some(index) = next.copied() else {
            let asked = (request.method.clone(), request.url.clone());
            if !state.unanswered.contains(&asked) {
                state.unanswered.push(asked);
            }
            return Err(HttpError::Denied(
                "there is no network in cases, and the case has no answer".to_owned(),
            ));
        };
        state.given[index] += 1;
        let answer = &self.answers[index];
        if Instant::now() + answer.after > request.until {
            return Err(HttpError::Timeout);
        }
        answer.what.clone()
    }
}

/// The secrets that a header names.
fn secrets(value: &str) -> impl Iterator<Item = &str> {
    value.split("{{secret:").skip(1).map(|named| named.split("}}").next().unwrap_or_default())
}

impl Http for Rehearsed {
    fn send(&self, request: HttpRequest) -> Answering<'_> {
        Box::pin(std::future::ready(self.answer(&request)))
    }
}
