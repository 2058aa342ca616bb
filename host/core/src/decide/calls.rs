//! Finds calls of unknown functions and methods when rules are compiled: Rhai itself looks a function up only when it is
//! called, which may be at night.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rhai::{AST, ASTNode, Engine, Expr, Stmt};

use super::{
    habits, library,
    source::{Place, RuleError, Source},
};
use crate::{bounds::cut, domain::closest, words::function};

/// Functions of Rhai's grammar, which no package registers.
const KEYWORDS: [&str; 9] =
    ["print", "debug", "type_of", "Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn"];

/// Maximum number of unknown functions reported for a script.
const TOLD: usize = 20;

/// The functions that every rule may call.
pub struct Functions {
    /// How many arguments they take, by their names; those of the grammar are left out.
    arity: BTreeMap<String, BTreeSet<usize>>,
    named: BTreeSet<String>,
    /// Functions of the library, by their names: the file, and whether it compiles.
    shared: BTreeMap<String, (Arc<str>, bool)>,
}

/// A call that no function of the engine answers.
struct Unknown {
    name: String,
    is_method: bool,
    /// How many arguments it has, with the value whose method it is.
    arguments: usize,
    at: rhai::Position,
}

impl Functions {
    /// The functions of an engine.
    pub fn of(engine: &Engine) -> Self {
        let all = engine.collect_fn_metadata(
            None,
            |function| Some((function.metadata.name.to_string(), function.metadata.num_params)),
            true,
        );
        let mut arity: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (name, count) in all {
            arity.entry(name).or_default().insert(count);
        }
        let named = arity.keys().cloned().chain(KEYWORDS.map(ToOwned::to_owned)).collect();
        arity.retain(|name, _| !KEYWORDS.contains(&name.as_str()));
        Functions { arity, named, shared: BTreeMap::new() }
    }

    /// Adds the functions of the library.
    pub fn with_library(self, library: BTreeMap<String, (Arc<str>, bool)>) -> Self {
        Functions { shared: library, ..self }
    }

    /// Whether there is a function with this name.
    pub fn has(&self, name: &str) -> bool {
        self.named.contains(name)
    }

    /// Whether a function with this name takes so many arguments.
    fn answers(&self, name: &str, arguments: usize) -> bool {
        self.has(name) && self.arity.get(name).is_none_or(|counts| counts.contains(&arguments))
    }

    /// The error of a call with too few or too many arguments.
    fn other_arguments(&self, name: &str, is_method: bool, arguments: usize, place: Place) -> RuleError {
        let own = usize::from(is_method);
        let counts = self.arity.get(name).into_iter().flatten();
        let counts: Vec<usize> = counts.filter_map(|count| count.checked_sub(own)).collect();
        let taken = match counts.as_slice() {
            [first, .., last] if last - first > 1 => format!("{first} to {last}"),
            counts => counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
        };
        let message = match function(name) {
            Some(function) => format!("`{name}` takes other arguments: {}", function.usage),
            None => format!(
                "`{name}` takes {taken} {}, not {}",
                if taken == "1" { "argument" } else { "arguments" },
                arguments - own,
            ),
        };
        RuleError { place, message, help: None }
    }

    /// Reports the functions of a script that have the name of one of the library.
    pub fn clashes(&self, ast: &AST, source: &Source) -> Vec<RuleError> {
        let own = ast.iter_functions().filter_map(|function| {
            let (file, _) = self.shared.get(function.name)?;
            Some(RuleError {
                place: library::place_of(source, function.name),
                message: format!("`{}` is also a function of {file}", function.name),
                help: Some("delete it here, or give it another name".to_owned()),
            })
        });
        own.collect()
    }

    /// Where a function is that cannot be called because its file has errors.
    fn broken(&self, name: &str) -> Option<String> {
        let (file, _) = self.shared.get(name).filter(|(_, compiles)| !compiles)?;
        Some(format!("it is in {file}, which has errors"))
    }

    /// Reports calls of unknown functions and methods, and of known ones with too few or too many arguments. A method may
    /// also be a function that a map holds, under a name that stands elsewhere in the text.
    pub fn check(&self, ast: &AST, place: &Place, errors: &mut Vec<RuleError>) {
        let mut own: BTreeSet<String> = BTreeSet::new();
        for function in ast.iter_functions() {
            own.insert(function.name.to_owned());
            own.extend(function.params.iter().map(|&name| name.to_owned()));
        }
        let (mut held, mut calls) = (BTreeSet::new(), Vec::new());
        ast.walk(&mut |nodes: &[ASTNode<'_>]| {
            match nodes.last() {
                Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                    own.insert(variable.0.name.to_string());
                }
                Some(ASTNode::Expr(Expr::Property(property, _))) => {
                    held.insert(property.2.to_string());
                }
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    held.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                Some(ASTNode::Expr(Expr::StringConstant(text, _))) => {
                    held.insert(text.to_string());
                }
                // A map without variables.
                Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => {
                    if let Ok(map) = value.as_map_ref() {
                        held.extend(map.keys().map(ToString::to_string));
                    }
                }
                Some(ASTNode::Expr(Expr::MethodCall(call, at)))
                    if !self.answers(call.name.as_str(), call.args.len() + 1) =>
                {
                    let (name, arguments) = (call.name.to_string(), call.args.len() + 1);
                    calls.push(Unknown { name, is_method: true, arguments, at: *at });
                }
                Some(ASTNode::Stmt(Stmt::FnCall(call, at)) | ASTNode::Expr(Expr::FnCall(call, at)))
                    if call.op_token.is_none() && !self.answers(call.name.as_str(), call.args.len()) =>
                {
                    let (name, arguments) = (call.name.to_string(), call.args.len());
                    calls.push(Unknown { name, is_method: false, arguments, at: *at });
                }
                _ => {}
            }
            true
        });
        let unknown = calls
            .iter()
            .filter(|call| !(own.contains(&call.name) || call.is_method && held.contains(&call.name)));
        for Unknown { name, is_method, arguments, at } in unknown.take(TOLD) {
            let place = place.within(at.line().unwrap_or(1), at.position().unwrap_or(1));
            if self.has(name) {
                errors.push(self.other_arguments(name, *is_method, *arguments, place));
                continue;
            }
            let known = self.named.iter().map(String::as_str).filter(|known| known.chars().all(is_of_a_name));
            let what = if *is_method { "method" } else { "function" };
            errors.push(RuleError {
                place,
                message: format!("unknown {what} `{}`", cut(name, 100)),
                help: self.broken(name).or_else(|| habits::function(name)).or_else(|| {
                    closest(name, known.chain(own.iter().map(String::as_str)))
                        .map(|close| format!("did you mean `{close}`?"))
                }),
            });
        }
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
