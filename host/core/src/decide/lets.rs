//! The values that a route names for its expressions (`let`), and its condition, which stands before or after them.

use rhai::{Dynamic, Engine, Scope, serde::to_dynamic};
use serde_json::Value;

use super::{
    calls::Functions,
    expression::{Expression, Names, Unanswered},
    route_source::{LetSource, ValueSource},
    source::{RuleError, Source},
};
use crate::{bounds::cut, domain::Outcome};

/// A value that is written out, or that an expression gives.
pub enum Variable {
    /// A number or boolean.
    Literal(Value),
    /// An expression.
    Expression(Expression),
}

impl Variable {
    fn value(&self, engine: &Engine, scope: &mut Scope) -> Result<Dynamic, Unanswered> {
        match self {
            // JSON always has a value in Rhai.
            Variable::Literal(value) => Ok(to_dynamic(value).unwrap_or_default()),
            Variable::Expression(expression) => expression.value(engine, scope),
        }
    }
}

/// The compiled values of `let`.
pub struct Lets {
    values: Vec<(String, Variable)>,
    before_when: bool,
}

impl Lets {
    /// Compiles the values of a route; adds all of their errors to `errors`. Also returns the names that they define.
    pub fn compile<'a>(
        engine: &Engine,
        functions: &Functions,
        source: &'a LetSource,
        errors: &mut Vec<RuleError>,
    ) -> (Lets, Vec<&'a str>) {
        let mut known: Vec<&str> = Vec::new();
        let mut values = Vec::new();
        for (name, value) in &source.values {
            let names = Names { known: &known, later: &[] };
            let value = match value {
                ValueSource::Literal(value) => Some(Variable::Literal(value.clone())),
                ValueSource::Expression(source) => {
                    Expression::compile(engine, functions, source, names, errors).map(Variable::Expression)
                }
            };
            match wrong_name(engine, name, &known) {
                Some(error) => errors.push(error),
                None => known.push(&name.text),
            }
            values.extend(value.map(|value| (name.text.clone(), value)));
        }
        (Lets { values, before_when: source.before_when }, known)
    }

    /// Adds the values to the variables, and evaluates the condition, in their order: `None` if it holds, or the outcome if
    /// not.
    ///
    /// # Errors
    /// If an expression fails or skips.
    pub fn let_through(
        &self,
        when: Option<&Expression>,
        engine: &Engine,
        scope: &mut Scope,
    ) -> Result<Option<Outcome>, Unanswered> {
        if self.before_when {
            self.define(engine, scope)?;
        }
        if let Some(when) = when
            && let Some(instead) = let_through(when, engine, scope)?
        {
            return Ok(Some(instead));
        }
        if !self.before_when {
            self.define(engine, scope)?;
        }
        Ok(None)
    }

    fn define(&self, engine: &Engine, scope: &mut Scope) -> Result<(), Unanswered> {
        for (name, variable) in &self.values {
            let value = variable.value(engine, scope)?;
            scope.push_constant_dynamic(name.clone(), value);
        }
        Ok(())
    }
}

/// What is wrong with the name of a `let`.
fn wrong_name(engine: &Engine, name: &Source, known: &[&str]) -> Option<RuleError> {
    let error = |message: String, help: &str| {
        Some(RuleError { place: name.place.clone(), message, help: Some(help.to_owned()) })
    };
    let text = name.text.as_str();
    let mut scope = Scope::new();
    let of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(of_a_name) {
        return error(
            format!("`{}` is not a valid name", cut(text, 100)),
            "use lowercase letters, digits and underscores, for example `total`",
        );
    }
    scope.push_dynamic(text, Dynamic::UNIT);
    if text == "event" || engine.compile_expression_with_scope(&scope, text).is_err() {
        return error(format!("`{text}` is a reserved word"), "give it another name");
    }
    known.contains(&text).then(|| error(format!("`{text}` is defined twice"), "give it another name"))?
}

/// Evaluates the condition of a route: `None` if it holds, or the outcome if not.
///
/// # Errors
/// If it fails.
pub fn let_through(
    when: &Expression,
    engine: &Engine,
    scope: &mut Scope,
) -> Result<Option<Outcome>, RuleError> {
    match when.holds(engine, scope) {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some(Outcome::Skip(format!("`{}` is false", when.text())))),
        Err(Unanswered::Skip(why)) => Ok(Some(Outcome::Skip(why))),
        Err(Unanswered::Failed(error)) => Err(error),
    }
}
