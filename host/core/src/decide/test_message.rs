//! The one built-in rule: `hookswitch send` posts an event that says itself who gets which template.

use crate::domain::{Decision, Engine, Event, Outcome, Priority, RuleRef, Verdict};

/// The type of such an event. Over HTTP, types that begin with `hookswitch.` need an admin's key.
pub const TEST_TYPE: &str = "hookswitch.test";

/// What the event says: a decision, before all others.
pub fn verdict(event: &Event) -> Verdict {
    let outcome = match serde_json::from_str::<Decision>(event.data.get()) {
        Ok(decision) => Outcome::Notify(Box::new(Decision { priority: Priority::Urgent, ..decision })),
        Err(error) => Outcome::Failed(format!("read what the test message is to say: {error}")),
    };
    let rule = RuleRef { engine: Engine::Route, file: TEST_TYPE.to_owned(), line: 0 };
    Verdict { rule: Some(rule), outcome, asked: [].into() }
}
