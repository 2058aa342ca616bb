//! Ports: what a rule may ask of its host, and the record of the answers.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use scoped_tls_hkt::scoped_thread_local;
use serde_json::{Map, Value};

use super::{
    budget::{Budget, QUESTIONS},
    plugin::Http,
};
use crate::{
    bounds::on_author_stack,
    domain::{Asked, RuleRef},
};

/// What a rule may ask of its host. The same answers give the same decisions.
pub trait Ports: Send + Sync {
    /// Returns the time.
    fn now(&self) -> Timestamp;

    /// Returns a value of the `config.yaml` of a rules folder.
    fn config(&self, folder: &str, key: &str) -> Option<Value>;

    /// Sends the requests of plugins, in place of the sandbox's own client.
    fn http(&self) -> Option<Arc<dyn Http>> {
        None
    }

    /// Takes note of how long a rule took.
    fn took(&self, _rule: &RuleRef, _took: Duration) {}

    /// What stands in for a plugin's configuration and tables, by the plugin's id.
    fn stand_ins(&self, _plugin: &str) -> StandIns {
        StandIns::default()
    }

    /// Whether this is a rehearsal, as a case is: calls of plugins are not counted, whatever comes of them, nor logged, and
    /// the newest revision is asked, though it may be parked.
    fn is_rehearsal(&self) -> bool {
        false
    }
}

/// What stands in for what a plugin reads, key by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StandIns {
    /// For its configuration.
    pub config: Map<String, Value>,
    /// For the rows of its tables, by table and key.
    pub lookup: BTreeMap<String, Map<String, Value>>,
}

/// One call of a rule, as its helpers and limits see it.
pub struct Call<'a> {
    ports: &'a dyn Ports,
    folder: &'a str,
    asked: RefCell<Vec<Asked>>,
    /// Remaining time, memory and output.
    pub budget: Budget,
}

scoped_thread_local! {
    static CALL: for<'a> &'a Call<'a>
}

impl<'a> Call<'a> {
    /// Runs a rule of a folder on the stack for authors' work; also returns what it asked. Values that the rule made
    /// must be dropped in `rule`.
    pub fn run<T>(ports: &'a dyn Ports, folder: &'a str, rule: impl FnOnce() -> T) -> (T, Vec<Asked>) {
        let call = Call { ports, folder, asked: RefCell::default(), budget: Budget::start() };
        let answer = on_author_stack(|| CALL.set(&call, rule));
        (answer, call.asked.into_inner())
    }

    /// Passes on the current call of this thread; `None` while a rule is compiled.
    pub fn current<T>(ask: impl FnOnce(&Call<'_>) -> T) -> Option<T> {
        CALL.is_set().then(|| CALL.with(ask))
    }

    /// Returns the time, as RFC 3339.
    pub fn now(&self) -> Result<Value, String> {
        self.ask("now", Value::Null, || Value::String(self.ports.now().to_string()))
    }

    /// Returns a value of the folder's configuration, or null.
    pub fn config(&self, key: &str) -> Result<Value, String> {
        let answer = || self.ports.config(self.folder, key).unwrap_or_default();
        self.ask("config", Value::from(key), answer)
    }

    /// Asks and records each question once: its answer stays the same throughout a call.
    fn ask(&self, port: &str, question: Value, answer: impl FnOnce() -> Value) -> Result<Value, String> {
        let mut asked = self.asked.borrow_mut();
        if let Some(known) = asked.iter().find(|known| known.port == port && known.question == question) {
            return Ok(known.answer.clone());
        }
        if asked.len() == QUESTIONS {
            return Err(format!("asked more than {QUESTIONS} different questions"));
        }
        let answer = answer();
        asked.push(Asked { port: port.to_owned(), question, answer: answer.clone() });
        Ok(answer)
    }
}
