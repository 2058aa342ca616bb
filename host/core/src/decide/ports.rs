//! What a rule may ask of the world, and the record of what it was told.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use scoped_tls_hkt::scoped_thread_local;
use serde_json::{Map, Value};

use super::{
    budget::{Budget, QUESTIONS},
    plugin::Http,
};
use crate::{bounds::on_author_stack, domain::Asked};

/// What a rule may ask of the world. The same answers give the same decisions.
pub trait Ports: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// A value of the `config.yaml` of a rules folder.
    fn config(&self, folder: &str, key: &str) -> Option<Value>;

    /// Who answers the requests of plugins, where it is not the sandbox's own.
    fn http(&self) -> Option<Arc<dyn Http>> {
        None
    }

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

/// One call of a rule: what helpers and limits reach from inside of it.
pub struct Call<'a> {
    ports: &'a dyn Ports,
    folder: &'a str,
    asked: RefCell<Vec<Asked>>,
    /// What it may use.
    pub budget: Budget,
}

scoped_thread_local! {
    static CALL: for<'a> &'a Call<'a>
}

impl<'a> Call<'a> {
    /// Runs a rule of a folder on the stack for authors' work, and returns what it asked too. What the rule made
    /// must be dropped in `rule`.
    pub fn run<T>(ports: &'a dyn Ports, folder: &'a str, rule: impl FnOnce() -> T) -> (T, Vec<Asked>) {
        let call = Call { ports, folder, asked: RefCell::default(), budget: Budget::start() };
        let answer = on_author_stack(|| CALL.set(&call, rule));
        (answer, call.asked.into_inner())
    }

    /// The call that this thread is in; `None` while a rule is compiled.
    pub fn current<T>(ask: impl FnOnce(&Call<'_>) -> T) -> Option<T> {
        CALL.is_set().then(|| CALL.with(ask))
    }

    /// The time, as RFC 3339.
    pub fn now(&self) -> Result<Value, String> {
        self.ask("now", Value::Null, || Value::String(self.ports.now().to_string()))
    }

    /// A value of the folder's configuration, null where it has none.
    pub fn config(&self, key: &str) -> Result<Value, String> {
        let answer = || self.ports.config(self.folder, key).unwrap_or_default();
        self.ask("config", Value::from(key), answer)
    }

    /// Each question is put, and recorded, once: its answer stays the same through a call.
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
