//! What rules are told in a replay: the time and the answers of then, and the configuration of their own release.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hookswitch_core::{
    catalog::Catalog,
    decide::{
        Ports,
        plugin::{Answering, Http, HttpAnswer, HttpError, HttpRequest},
    },
    domain::{Asked, RuleRef},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The ports of a past event.
pub(super) struct PastPorts<'a> {
    catalog: &'a Catalog,
    now: Timestamp,
    http: Arc<PastHttp>,
    took: Mutex<Vec<(String, Duration)>>,
}

/// Answers requests as they were answered then.
struct PastHttp {
    answers: Mutex<Vec<Asked>>,
    /// What was not asked then.
    missing: Mutex<Vec<String>>,
    /// Answers that too, if it may.
    network: Option<Arc<dyn Http>>,
}

impl<'a> PastPorts<'a> {
    /// The ports of an event that was decided then with these answers.
    pub fn new(
        catalog: &'a Catalog,
        asked: Vec<Asked>,
        decided_at: Timestamp,
        network: Option<Arc<dyn Http>>,
    ) -> PastPorts<'a> {
        let now = asked.iter().find(|asked| asked.port == "now");
        let now = now.and_then(|asked| asked.answer.as_str()?.parse().ok()).unwrap_or(decided_at);
        let answers = asked.into_iter().filter(|asked| asked.port == "http").collect();
        let http = PastHttp { answers: Mutex::new(answers), missing: Mutex::default(), network };
        PastPorts { catalog, now, http: Arc::new(http), took: Mutex::default() }
    }

    /// The first question that has no answer, and how long each rule took.
    pub fn finish(self) -> (Option<String>, Vec<(String, Duration)>) {
        let mut missing = self.http.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let first = (!missing.is_empty()).then(|| missing.swap_remove(0));
        (first, self.took.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ports for PastPorts<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn config(&self, folder: &str, key: &str) -> Option<Value> {
        self.catalog.config.get(folder)?.get(key).cloned()
    }

    fn http(&self) -> Option<Arc<dyn Http>> {
        Some(self.http.clone())
    }

    fn took(&self, rule: &RuleRef, took: Duration) {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).push((rule.to_string(), took));
    }

    fn is_rehearsal(&self) -> bool {
        true
    }
}

impl Http for PastHttp {
    fn send(&self, request: HttpRequest) -> Answering<'_> {
        let question = json!({
            "method": request.method,
            "url": request.url,
            "headers": request.headers,
            "body": request.body.as_deref().map(String::from_utf8_lossy),
        });
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = answers.iter().position(|asked| asked.question == question);
        // Of two equal requests, each has its own answer.
        let answer = known.map(|at| answers.remove(at).answer);
        drop(answers);
        let answer: Option<Result<HttpAnswer, HttpError>> =
            answer.and_then(|answer| serde_json::from_value(answer).ok());
        match (answer, &self.network) {
            (Some(answer), _) => Box::pin(std::future::ready(answer)),
            (None, Some(network)) => network.send(request),
            (None, None) => {
                let asked = format!("{} {}", request.method, request.url);
                self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
                Box::pin(std::future::ready(Err(HttpError::Failed("no recorded answer".to_owned()))))
            }
        }
    }
}
