//! Rhai scripts: `fn decide(event)` returns a map, an array of maps, or `skip("why")`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rhai::{AST, ASTFlags, CallFnOptions, Dynamic, Engine, EvalAltResult, Position, Scope, Stmt};

use super::{
    answer,
    calls::Functions,
    diagnosis,
    helpers::Skip,
    kinds, nothing,
    ports::Call,
    source::{Place, RuleError, Source},
    value,
};
use crate::domain::Outcome;

const FUNCTION: &str = "decide";

/// A compiled script.
pub struct Script {
    ast: AST,
    /// Whether it says itself that a time may be nothing.
    names_no_time: bool,
    /// Place of `fn decide`, and of errors without a place of their own.
    place: Place,
}

impl Script {
    /// Compiles a script. If it does not parse, has no `fn decide(event)`, has statements outside its functions, or calls
    /// an unknown function, all of its errors are added to `errors`.
    pub fn compile(
        engine: &Engine,
        functions: &Functions,
        source: &Source,
        errors: &mut Vec<RuleError>,
    ) -> Option<Script> {
        let file = &source.place;
        let parsed = engine.compile(&source.text);
        let parsed = parsed.map_err(|error| errors.push(diagnosis::of_parsing(&error, source, None)));
        let mut ast = parsed.ok()?;
        ast.set_source(&*file.file);
        let before = errors.len();
        for statement in ast.statements().iter().filter(|statement| !is_constant(statement)) {
            let at = statement.position();
            errors.push(RuleError {
                place: file.within(at.line().unwrap_or(1), at.position().unwrap_or(1)),
                message: "statement outside a function".to_owned(),
                help: Some(
                    "only `fn` and `const` are allowed there; move the rest into `fn decide(event)`"
                        .to_owned(),
                ),
            });
        }
        let takes = ast.iter_functions().find(|function| function.name == FUNCTION).map(|f| f.params.len());
        if takes != Some(1) {
            errors.push(RuleError {
                place: file.clone(),
                message: match takes {
                    None => "missing `fn decide(event)`".to_owned(),
                    Some(count) => format!("`fn decide` must have 1 parameter, not {count}"),
                },
                help: Some("write `fn decide(event) { … }`".to_owned()),
            });
        }
        errors.extend(functions.clashes(&ast, source));
        functions.check(&ast, file, errors);
        kinds::check(&ast, file, errors);
        let stands =
            |line: &str| line.split_once("fn decide").is_some_and(|(before, _)| !before.contains("//"));
        let line = source.text.lines().position(stands).map_or(1, |index| index + 1);
        (errors.len() == before).then(|| Script {
            names_no_time: nothing::names_no_time(&ast),
            ast,
            place: file.within(line, 1),
        })
    }

    /// Place of `fn decide`.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Calls the script, in its own scope.
    ///
    /// # Errors
    /// If it throws, exceeds a limit, or returns an invalid answer.
    pub fn decide(&self, engine: &Engine, event: Dynamic) -> Result<Vec<Outcome>, RuleError> {
        // Constants are evaluated for each call: functions do not see them otherwise.
        let options = CallFnOptions::new().eval_ast(!self.ast.statements().is_empty());
        let call = || {
            engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &self.ast, FUNCTION, (event,))
        };
        let answer = caught(call).map_err(|error| self.failed(error))?;
        let answer = match answer.try_cast_result::<Skip>() {
            Ok(skip) => return Ok(vec![Outcome::Skip(skip.0)]),
            Err(answer) => answer,
        };
        let outcomes = value::answer(&answer).and_then(|json| answer::outcomes(&json, !self.names_no_time));
        outcomes.map_err(|message| RuleError {
            place: self.place.clone(),
            message: format!("invalid answer: {message}"),
            help: None,
        })
    }

    fn failed(&self, failure: Failure) -> RuleError {
        match failure {
            Failure::Rhai(error) => {
                let anywhere = error.position().is_none();
                let file = Place::start_of(self.place.file.clone());
                let error = diagnosis::of_running(error, &file);
                let untold = anywhere && error.place == file;
                RuleError { place: if untold { self.place.clone() } else { error.place }, ..error }
            }
            Failure::Panic => panicked(&self.place),
        }
    }
}

/// Why a call failed.
pub enum Failure {
    /// An error of the rule.
    Rhai(Box<EvalAltResult>),
    /// A panic of the engine.
    Panic,
}

/// Runs a rule. A panic, which would be a bug in the engine, fails only this rule.
pub fn caught<T>(rule: impl FnOnce() -> Result<T, Box<EvalAltResult>>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(rule)) {
        // Checked once more: the last operation may have exceeded the budget.
        Ok(Ok(answer)) => match Call::current(|call| call.budget.spent(1)).flatten() {
            Some(why) => {
                Err(Failure::Rhai(EvalAltResult::ErrorTerminated(why.into(), Position::NONE).into()))
            }
            None => Ok(answer),
        },
        Ok(Err(error)) => Err(Failure::Rhai(error)),
        Err(_) => Err(Failure::Panic),
    }
}

/// The error for a panic of the engine.
pub fn panicked(place: &Place) -> RuleError {
    RuleError {
        place: place.clone(),
        message: "internal error while running this rule".to_owned(),
        help: Some("this is a bug in Hookswitch; please report it with the rule and the event".to_owned()),
    }
}

fn is_constant(statement: &Stmt) -> bool {
    match statement {
        Stmt::Noop(_) => true,
        Stmt::Var(_, flags, _) => flags.contains(ASTFlags::CONSTANT),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, caught};

    #[test]
    fn a_panic_of_the_engine_is_the_rules_failure_alone() {
        assert!(matches!(caught::<()>(|| panic!("a bug")), Err(Failure::Panic)));
    }
}
