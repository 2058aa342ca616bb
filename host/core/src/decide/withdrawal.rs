//! What a route withdraws that sends nothing.

use rhai::{Engine, Scope};

use super::{
    answer::wrong_key,
    calls::Functions,
    expression::{Expression, Names, Unanswered},
    lets::Lets,
    route_source::CancelSource,
    source::{RuleError, Source},
};
use crate::domain::{Cancel, Outcome};

/// A compiled route that only withdraws messages.
pub struct Withdrawal {
    lets: Lets,
    cancel: Vec<Expression>,
    reason: Option<String>,
}

impl Withdrawal {
    /// Compiles the expressions; adds all of their errors to `errors`.
    pub fn compile(
        engine: &Engine,
        functions: &Functions,
        source: &CancelSource,
        errors: &mut Vec<RuleError>,
    ) -> Option<Withdrawal> {
        let before = errors.len();
        let (lets, known) = Lets::compile(engine, functions, &source.lets, errors);
        let names = Names { known: &known, later: &[] };
        let compile = |source: &Source| Expression::compile(engine, functions, source, names, errors);
        let cancel = source.cancel.iter().filter_map(compile).collect();
        (errors.len() == before).then(|| Withdrawal { lets, cancel, reason: source.reason.clone() })
    }

    /// The outcome for an event.
    ///
    /// # Errors
    /// If an expression fails.
    pub fn outcome(
        &self,
        when: Option<&Expression>,
        engine: &Engine,
        scope: &mut Scope,
    ) -> Result<Outcome, RuleError> {
        let mut decided = || -> Result<Outcome, Unanswered> {
            if let Some(instead) = self.lets.let_through(when, engine, scope)? {
                return Ok(instead);
            }
            let cancel = keys(&self.cancel, engine, scope)?;
            if cancel.is_empty() {
                let texts: Vec<String> = self.cancel.iter().map(|key| format!("`{}`", key.text())).collect();
                let verb = if texts.len() == 1 { "gives" } else { "give" };
                return Ok(Outcome::Skip(format!("{} {verb} nothing to cancel", texts.join(", "))));
            }
            Ok(Outcome::Cancel(Box::new(Cancel { cancel, reason: self.reason.clone() })))
        };
        match decided() {
            Ok(outcome) => Ok(outcome),
            Err(Unanswered::Skip(why)) => Ok(Outcome::Skip(why)),
            Err(Unanswered::Failed(error)) => Err(error),
        }
    }
}

/// The keys that expressions give, each within its limit.
///
/// # Errors
/// If one of them fails, or gives a key that is too long.
pub fn keys(
    expressions: &[Expression],
    engine: &Engine,
    scope: &mut Scope,
) -> Result<Vec<String>, Unanswered> {
    let mut keys = Vec::new();
    for expression in expressions {
        for key in expression.words(engine, scope)? {
            if let Some(why) = wrong_key(&key) {
                return Err(expression.wrong(why));
            }
            keys.push(key);
        }
    }
    Ok(keys)
}
