//! The built-in rule for digests: one message for many collected decisions.

use crate::domain::{DIGEST_TYPE, Digest, Engine, Event, Outcome, RuleRef, Unreadable, Verdict};

/// The decision of a digest event.
pub fn verdict(event: &Event) -> Verdict {
    let outcome = match serde_json::from_str::<Digest>(event.data.get()) {
        Ok(digest) => Outcome::Notify(Box::new(digest.into_decision())),
        Err(error) => Outcome::Failed(match serde_json::from_str::<Unreadable>(event.data.get()) {
            Ok(digest) => digest.why,
            Err(_) => format!("cannot read the digest: {error}"),
        }),
    };
    let rule = RuleRef { engine: Engine::Route, file: DIGEST_TYPE.to_owned(), line: 0 };
    Verdict { rule: Some(rule), outcome, asked: [].into() }
}
