//! Rhai scripts: `fn decide(event)` returns a map, an array of maps, or `skip("why")`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rhai::{AST, ASTFlags, CallFnOptions, Dynamic, Engine, EvalAltResult, Position, Scope, Stmt};

use super::{
    answer,
    calls::Functions,
    diagnosis,
    helpers::Skip,
    ports::Call,
    source::{Place, RuleError, Source},
    value,
};
use crate::domain::Outcome;

const FUNCTION: &str = "decide";

/// A compiled script.
pub struct Script {
    ast: AST,
    /// Where `fn decide` stands; errors without a place of their own are told there.
    place: Place,
}

impl Script {
    /// Compiles a script; where something is wrong (it does not parse, has no `fn decide(event)`, does something
    /// outside of its functions, calls what does not exist), `errors` has it all.
    pub fn compile(
        engine: &Engine,
        functions: &Functions,
        source: &Source,
        errors: &mut Vec<RuleError>,
    ) -> Option<Script> {
        let file = &source.place;
        let parsed = engine.compile(&source.text);
        let parsed = parsed.map_err(|error| errors.push(diagnosis::of_parsing(&error, file, &["event"])));
        let mut ast = parsed.ok()?;
        ast.set_source(&*file.file);
        let before = errors.len();
        for statement in ast.statements().iter().filter(|statement| !is_constant(statement)) {
            let at = statement.position();
            errors.push(RuleError {
                place: file.within(at.line().unwrap_or(1), at.position().unwrap_or(1)),
                message: "a statement outside of a function".to_owned(),
                help: Some(
                    "only `fn` and `const` stand there; put the rest into `fn decide(event)`".to_owned(),
                ),
            });
        }
        let takes = ast.iter_functions().find(|function| function.name == FUNCTION).map(|f| f.params.len());
        if takes != Some(1) {
            errors.push(RuleError {
                place: file.clone(),
                message: match takes {
                    None => "there is no `fn decide(event)`".to_owned(),
                    Some(count) => format!("`fn decide` has {count} parameters instead of one"),
                },
                help: Some("write `fn decide(event) { … }`".to_owned()),
            });
        }
        functions.check(&ast, file, errors);
        let stands =
            |line: &str| line.split_once("fn decide").is_some_and(|(before, _)| !before.contains("//"));
        let line = source.text.lines().position(stands).map_or(1, |index| index + 1);
        (errors.len() == before).then(|| Script { ast, place: file.within(line, 1) })
    }

    /// Where `fn decide` stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Calls the script, in a scope of its own.
    ///
    /// # Errors
    /// Where it throws, is stopped at a limit, or answers in a wrong shape.
    pub fn decide(&self, engine: &Engine, event: Dynamic) -> Result<Vec<Outcome>, RuleError> {
        // Constants are evaluated for each call: Rhai knows no other way to show them to functions.
        let options = CallFnOptions::new().eval_ast(!self.ast.statements().is_empty());
        let call = || {
            engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &self.ast, FUNCTION, (event,))
        };
        let answer = caught(call).map_err(|error| self.failed(error))?;
        let answer = match answer.try_cast_result::<Skip>() {
            Ok(skip) => return Ok(vec![Outcome::Skip(skip.0)]),
            Err(answer) => answer,
        };
        let decisions = value::answer(&answer).and_then(|json| answer::decisions(&json));
        let decisions = decisions.map_err(|message| RuleError {
            place: self.place.clone(),
            message: format!("wrong answer: {message}"),
            help: None,
        })?;
        Ok(decisions.into_iter().map(|decision| Outcome::Notify(Box::new(decision))).collect())
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

/// Why a call did not end well.
pub enum Failure {
    /// The rule's doing.
    Rhai(Box<EvalAltResult>),
    /// The engine's own.
    Panic,
}

/// Runs a rule; a panic in it, which would be a bug of the engine, is its failure alone.
pub fn caught<T>(rule: impl FnOnce() -> Result<T, Box<EvalAltResult>>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(rule)) {
        // Asked once more: nothing may have followed what spent the budget.
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

/// What is said of a panic.
pub fn panicked(place: &Place) -> RuleError {
    RuleError {
        place: place.clone(),
        message: "the engine broke on this rule".to_owned(),
        help: Some("this is a bug of Hookswitch; please report it with the rule and the event".to_owned()),
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
