//! The record of a call's questions and answers, kept with its decision so that it can be replayed, within limits.

use std::collections::HashSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{decide::budget::QUESTIONS, domain::Asked};

/// Maximum size of the questions and answers of a record, as JSON, in bytes. Later ones are kept as length and hash.
const RECORDED: usize = 256 * 1024;
/// Maximum size of a question that is kept in full even then, in bytes.
const SHORT: usize = 1_024;
/// Key of the replacement for a value that was not kept.
const NOT_KEPT: &str = "not_kept";

/// The record of one call.
#[derive(Default)]
pub(super) struct Record {
    asked: Vec<Asked>,
    /// Hashes of port and question.
    seen: HashSet<[u8; 32]>,
    bytes: usize,
}

impl Record {
    /// Whether one more question can be recorded.
    pub fn has_room(&self) -> bool {
        self.asked.len() < QUESTIONS
    }

    /// Records a question that always has the same answer, once.
    ///
    /// # Errors
    /// If the call has asked too many questions.
    pub fn once(&mut self, port: &str, question: Value, answer: &Value) -> wasmtime::Result<()> {
        let hash = Sha256::digest(format!("{port}\0{question}")).into();
        if self.seen.contains(&hash) {
            return Ok(());
        }
        self.add(port, question, answer.clone())?;
        self.seen.insert(hash);
        Ok(())
    }

    /// Records a question with its answer.
    ///
    /// # Errors
    /// If the call has asked too many questions.
    pub fn add(&mut self, port: &str, question: Value, answer: Value) -> wasmtime::Result<()> {
        if !self.has_room() {
            wasmtime::bail!("asked more than {QUESTIONS} different questions");
        }
        let (asked, told) = (question.to_string(), answer.to_string());
        let size = asked.len() + told.len();
        let (question, answer) = if self.bytes + size <= RECORDED {
            self.bytes += size;
            (question, answer)
        } else {
            let question = if asked.len() <= SHORT { question } else { instead_of(&asked) };
            (question, instead_of(&told))
        };
        self.asked.push(Asked { port: port.to_owned(), question, answer });
        Ok(())
    }

    /// Returns the questions and answers, in order.
    pub fn into_asked(self) -> Vec<Asked> {
        self.asked
    }

    /// Clears the record for the next call of the same instance.
    pub fn clear(&mut self) {
        *self = Record::default();
    }
}

fn instead_of(text: &str) -> Value {
    json!({NOT_KEPT: {"bytes": text.len(), "sha256": hex::encode(Sha256::digest(text))}})
}

/// Whether all answers were kept, so that the decision can be replayed.
pub fn is_whole(asked: &[Asked]) -> bool {
    let is_gap = |value: &Value| {
        value.as_object().is_some_and(|map| {
            map.len() == 1 && map.get(NOT_KEPT).is_some_and(|gap| gap.get("sha256").is_some())
        })
    };
    !asked.iter().any(|asked| is_gap(&asked.answer))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_record_is_bounded_and_says_what_it_left_out() {
        let mut record = Record::default();
        for n in 0..QUESTIONS {
            record
                .add("http", json!({"body": "x".repeat(100_000), "n": n}), json!("y".repeat(100_000)))
                .unwrap();
        }
        assert!(record.add("http", json!(0), json!(0)).is_err());
        let asked = record.into_asked();
        assert_eq!((asked.len(), is_whole(&asked), is_whole(&asked[..1])), (QUESTIONS, false, true));
        assert_eq!(asked[1].answer["not_kept"]["bytes"], 100_002);
        let size: usize =
            asked.iter().map(|asked| asked.question.to_string().len() + asked.answer.to_string().len()).sum();
        assert!(size < RECORDED + QUESTIONS * 2 * SHORT, "{size}");
    }

    #[test]
    fn a_question_is_recorded_once() {
        let mut record = Record::default();
        for _ in 0..3 {
            record.once("config", json!("a"), &json!(1)).unwrap();
        }
        record.once("config", json!("b"), &json!(2)).unwrap();
        assert_eq!(record.into_asked().len(), 2);
    }
}
