//! The built-in rule for test messages: `hookswitch send` posts an event that contains the decision.

use crate::domain::{Decision, Engine, Event, Outcome, Priority, RuleRef, Verdict};

/// Type of such an event. Over HTTP, types that begin with `hookswitch.` need a key with the scope `admin`.
pub const TEST_TYPE: &str = "hookswitch.test";

/// The decision that the event contains, always urgent.
pub fn verdict(event: &Event) -> Verdict {
    let outcome = match serde_json::from_str::<Decision>(event.data.get()) {
        Ok(decision) => Outcome::Notify(Box::new(Decision { priority: Priority::Urgent, ..decision })),
        Err(error) => Outcome::Failed(format!("cannot read the test message: {error}")),
    };
    let rule = RuleRef { engine: Engine::Route, file: TEST_TYPE.to_owned(), line: 0 };
    Verdict { rule: Some(rule), outcome, asked: [].into() }
}
