//! Replay of recorded answers: a rule gets the same answers as in its recorded decision.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Ports,
    plugin::{Answering, Http, HttpAnswer, HttpError, HttpRequest},
};
use crate::domain::Asked;

/// Recorded answers.
pub struct Replay {
    now: Timestamp,
    config: Vec<Asked>,
    http: Arc<Recorded>,
}

impl Replay {
    /// Uses the answers that a decision recorded; `decided_at` is the time if the rule did not ask for it.
    pub fn new(asked: Vec<Asked>, decided_at: Timestamp) -> Replay {
        let now = asked.iter().find(|asked| asked.port == "now");
        let now = now.and_then(|asked| asked.answer.as_str()?.parse().ok()).unwrap_or(decided_at);
        let answers = asked.iter().filter(|asked| asked.port == "http");
        let answers = answers.filter_map(|asked| serde_json::from_value(asked.answer.clone()).ok()).collect();
        let config = asked.into_iter().filter(|asked| asked.port == "config").collect();
        Replay { now, config, http: Arc::new(Recorded(Mutex::new(answers))) }
    }
}

impl Ports for Replay {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn config(&self, _: &str, key: &str) -> Option<Value> {
        self.config.iter().find(|asked| asked.question == key).map(|asked| asked.answer.clone())
    }

    fn http(&self) -> Option<Arc<dyn Http>> {
        Some(self.http.clone())
    }
}

/// Answers of HTTP services, in the order of the requests.
struct Recorded(Mutex<VecDeque<Result<HttpAnswer, HttpError>>>);

impl Http for Recorded {
    fn send(&self, _: HttpRequest) -> Answering<'_> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        Box::pin(std::future::ready(
            answer.unwrap_or_else(|| Err(HttpError::Failed("no recorded answer".to_owned()))),
        ))
    }
}
