//! Sends that are made to fail.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::codes;

/// Sends that fail: all, a fraction, the next few, or those to one number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Meta's error code; 502 and the like, in HTML, where there is only `http_status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// The HTTP status, where it is not the code's usual one. 200 is HTML where JSON is expected, of a message that
    /// was `taken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Only this fraction of sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Only so many more sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Only to this recipient (digits of the number, or user id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Take the message and report the error in a webhook (`failed`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub webhook: bool,
    /// Take the message, deliver it, and answer the error all the same.
    #[serde(default, skip_serializing_if = "is_false")]
    pub taken: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Fault {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// Says what does not.
    pub fn check(&self) -> Result<(), String> {
        match self.code {
            Some(code) if codes::known(code).is_none() => {
                return Err(format!("read the knobs: errors: {code} is not one of Meta's error codes"));
            }
            None if self.webhook || self.http_status.is_none() => {
                return Err("read the knobs: errors: a code is needed, or an http_status alone".into());
            }
            _ => {}
        }
        if self.taken && self.webhook {
            return Err("read the knobs: errors: either taken or webhook".into());
        }
        let is_garbage = self.taken && self.code.is_none() && self.http_status == Some(200);
        if self.http_status.is_some_and(|status| !(400..=599).contains(&status)) && !is_garbage {
            return Err(
                "read the knobs: errors: http_status must be from 400 to 599, or 200 where the message is \
                        taken and there is no code"
                    .into(),
            );
        }
        if self.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err("read the knobs: errors: probability must be from 0 to 1".into());
        }
        Ok(())
    }
}

impl FromStr for Fault {
    type Err = String;

    /// From a command line: `CODE` (each send), `CODE:0.05` (a fraction) or `CODE:x3` (the next three).
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (code, when) = s.split_once(':').map_or((s, None), |(code, when)| (code, Some(when)));
        let code = code.parse().map_err(|_| format!("read the error {s:?}: {code:?} is not a number"))?;
        let mut fault = Fault { code: Some(code), ..Fault::default() };
        if let Some(when) = when {
            let wrong = |_| format!("read the error {s:?}: after the colon a fraction or xN is needed");
            match when.strip_prefix('x') {
                Some(next) => {
                    fault.next =
                        Some(next.parse().map_err(|e: std::num::ParseIntError| wrong(e.to_string()))?)
                }
                None => {
                    fault.probability =
                        Some(when.parse().map_err(|e: std::num::ParseFloatError| wrong(e.to_string()))?)
                }
            }
        }
        fault.check()?;
        Ok(fault)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_a_command_line() {
        assert_eq!("131056".parse::<Fault>().unwrap().code, Some(131_056));
        assert_eq!("131000:0.25".parse::<Fault>().unwrap().probability, Some(0.25));
        assert_eq!("2:x3".parse::<Fault>().unwrap().next, Some(3));
        for wrong in ["", "x", "5", "131000:", "131000:2", "131000:xy"] {
            assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_contradicts_only_what_was_taken() {
        let garbage = Fault { http_status: Some(200), taken: true, ..Fault::default() };
        assert_eq!(garbage.check(), Ok(()));
        assert!(Fault { taken: false, ..garbage.clone() }.check().is_err());
        assert!(Fault { code: Some(131_000), webhook: true, ..garbage }.check().is_err());
    }
}
