//! What a route withdraws that sends nothing.

use rhai::{Engine, Scope};

use super::{
    answer::wrong_key,
    calls::Functions,
    expression::{Expression, Names, Unanswered},
    route_source::CancelSource,
    source::{RuleError, Source},
};
use crate::domain::{Cancel, Outcome};

/// A compiled route that only withdraws messages.
pub struct Withdrawal {
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
        let names = Names { known: &[], later: &[] };
        let compile = |source: &Source| Expression::compile(engine, functions, source, names, errors);
        let cancel = source.cancel.iter().filter_map(compile).collect();
        (errors.len() == before).then(|| Withdrawal { cancel, reason: source.reason.clone() })
    }

    /// The outcome for an event.
    ///
    /// # Errors
    /// If an expression fails.
    pub fn outcome(&self, engine: &Engine, scope: &mut Scope) -> Result<Outcome, RuleError> {
        match keys(&self.cancel, engine, scope) {
            Ok(none) if none.is_empty() => {
                let texts: Vec<String> = self.cancel.iter().map(|key| format!("`{}`", key.text())).collect();
                let verb = if texts.len() == 1 { "gives" } else { "give" };
                Ok(Outcome::Skip(format!("{} {verb} nothing to cancel", texts.join(", "))))
            }
            Ok(cancel) => Ok(Outcome::Cancel(Box::new(Cancel { cancel, reason: self.reason.clone() }))),
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
