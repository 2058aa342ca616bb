//! Rhai expressions in YAML, with the variable `event`.

use jiff::Timestamp;
use rhai::{AST, Dynamic, Engine, Scope};
use serde_json::Value;

use super::{
    answer,
    calls::Functions,
    diagnosis,
    helpers::Skip,
    kinds, nothing,
    path::Path,
    script::{Failure, caught, panicked},
    source::{Place, RuleError, Source},
    tags, value,
};
use crate::words::timestamp;

/// A compiled expression.
pub struct Expression {
    ast: AST,
    source: Source,
    /// The path that it is, if it is no more than that.
    path: Option<Path>,
    /// Whether it says itself that it may give nothing.
    names_nothing: bool,
}

/// The names of `let` that an expression may use, and those that are defined after it.
#[derive(Clone, Copy, Default)]
pub struct Names<'a> {
    /// Those that have a value.
    pub known: &'a [&'a str],
    /// Those that do not have one yet.
    pub later: &'a [&'a str],
}

/// Why an expression has no value.
pub enum Unanswered {
    /// It called `skip("why")`.
    Skip(String),
    /// It failed.
    Failed(RuleError),
}

impl From<RuleError> for Unanswered {
    fn from(error: RuleError) -> Self {
        Unanswered::Failed(error)
    }
}

impl Expression {
    /// Compiles an expression. If it does not parse, uses a variable other than `event` and those of `let`, or calls an unknown function, all
    /// of its errors are added to `errors`.
    pub fn compile(
        engine: &Engine,
        functions: &Functions,
        source: &Source,
        names: Names<'_>,
        errors: &mut Vec<RuleError>,
    ) -> Option<Expression> {
        // Not a constant: the compiler would replace it by its value.
        let mut scope = Scope::new();
        for name in names.known.iter().chain(&["event"]) {
            scope.push_dynamic(*name, Dynamic::UNIT);
        }
        let parsed = engine.compile_expression_with_scope(&scope, &source.text);
        let parsed = parsed.map_err(|error| errors.push(diagnosis::of_parsing(&error, source, Some(names))));
        let ast = parsed.ok()?;
        let before = errors.len();
        functions.check(&ast, &source.place, errors);
        kinds::check(&ast, &source.place, errors);
        tags::check(&ast, &source.place, errors);
        let names_nothing = nothing::names_nothing(&ast, &source.text);
        let path = Path::of(&source.text);
        (errors.len() == before).then(|| Expression { ast, source: source.clone(), path, names_nothing })
    }

    /// The expression, as written.
    pub fn text(&self) -> &str {
        self.source.text.trim()
    }

    /// Evaluates it.
    pub fn value(&self, engine: &Engine, scope: &mut Scope) -> Result<Dynamic, Unanswered> {
        if let Some(value) = self.read(scope, Dynamic::clone) {
            return Ok(value);
        }
        let evaluated = caught(|| engine.eval_ast_with_scope::<Dynamic>(scope, &self.ast));
        let value = evaluated.map_err(|failure| match failure {
            Failure::Rhai(error) => diagnosis::of_running(error, &self.source.place),
            Failure::Panic => panicked(&self.source.place),
        })?;
        match value.try_cast_result::<Skip>() {
            Ok(skip) => Err(Unanswered::Skip(skip.0)),
            Err(value) => Ok(value),
        }
    }

    /// Evaluates it to JSON.
    pub fn json(&self, engine: &Engine, scope: &mut Scope) -> Result<Value, Unanswered> {
        let answer = match self.read(scope, value::answer) {
            Some(answer) => answer,
            None => value::answer(&self.value(engine, scope)?),
        };
        answer.map_err(|message| self.wrong(message))
    }

    /// Shows the value that it only names, without a copy.
    fn read<T>(&self, scope: &Scope, show: impl FnOnce(&Dynamic) -> T) -> Option<T> {
        self.path.as_ref()?.show(scope, show)
    }

    /// Evaluates it as a condition.
    pub fn holds(&self, engine: &Engine, scope: &mut Scope) -> Result<bool, Unanswered> {
        let value = self.value(engine, scope)?;
        value.as_bool().map_err(|_| {
            let error = self.error(format!("expected true or false, got {}", value::kind_of(&value)));
            let help = value.is_unit().then(|| diagnosis::MISSING_CONDITION.to_owned());
            RuleError { help, ..error }.into()
        })
    }

    /// Evaluates it to a string; `None` if that is empty.
    pub fn word(&self, engine: &Engine, scope: &mut Scope) -> Result<Option<String>, Unanswered> {
        let value = self.json(engine, scope)?;
        answer::word(&value)
            .ok_or_else(|| self.wrong(format!("expected a string, got {}", answer::kind_of(&value))))
    }

    /// Evaluates it to a string or an array of strings, without the empty ones.
    pub fn words(&self, engine: &Engine, scope: &mut Scope) -> Result<Vec<String>, Unanswered> {
        let value = self.json(engine, scope)?;
        let items = match &value {
            Value::Array(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        };
        let word = |item| {
            let wrong = || {
                self.wrong(format!("expected a string or an array of strings, got {}", answer::kind_of(item)))
            };
            answer::word(item).ok_or_else(wrong).transpose()
        };
        items.iter().filter_map(word).collect()
    }

    /// Evaluates it to a time. It may be empty only if the expression itself says so: a message would go out at once, or
    /// never expire, because of a misspelt path.
    pub fn time(&self, engine: &Engine, scope: &mut Scope) -> Result<Option<Timestamp>, Unanswered> {
        match self.word(engine, scope)? {
            Some(text) => timestamp(&text).map(Some).map_err(|message| self.wrong(message)),
            None if self.names_nothing => Ok(None),
            None => {
                let error = self.error("expected a time, got nothing".to_owned());
                Err(RuleError { help: Some(answer::NO_TIME.to_owned()), ..error }.into())
            }
        }
    }

    /// The error that its value is wrong.
    pub fn wrong(&self, message: String) -> Unanswered {
        self.error(message).into()
    }

    fn error(&self, message: String) -> RuleError {
        let place: Place = self.source.place.clone();
        RuleError { place, message: format!("`{}`: {message}", self.text()), help: None }
    }
}

/// The scope of the expressions of one rule. The event is a constant, so that no expression changes it for the next.
pub fn scope_of(event: Dynamic) -> Scope<'static> {
    let mut scope = Scope::new();
    scope.push_constant_dynamic("event", event);
    scope
}
