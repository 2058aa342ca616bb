//! The built-in rule for what was collected: one message from many.

use crate::domain::{DIGEST_TYPE, Digest, Engine, Event, Outcome, RuleRef, Unreadable, Verdict};

/// What was collected, as one decision.
pub fn verdict(event: &Event) -> Verdict {
    let outcome = match serde_json::from_str::<Digest>(event.data.get()) {
        Ok(digest) => Outcome::Notify(Box::new(digest.into_decision())),
        Err(error) => Outcome::Failed(match serde_json::from_str::<Unreadable>(event.data.get()) {
            Ok(digest) => digest.why,
            Err(_) => format!("read what was collected: {error}"),
        }),
    };
    let rule = RuleRef { engine: Engine::Route, file: DIGEST_TYPE.to_owned(), line: 0 };
    Verdict { rule: Some(rule), outcome, asked: [].into() }
}
