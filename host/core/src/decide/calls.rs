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
use crate::{bounds::cut, domain::closest};

/// Functions of Rhai's grammar, which no package registers.
const KEYWORDS: [&str; 9] =
    ["print", "debug", "type_of", "Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn"];

/// Maximum number of unknown functions reported for a script.
const TOLD: usize = 20;

/// The functions that every rule may call.
pub struct Functions {
    named: BTreeSet<String>,
    /// Functions of the library, by their names: the file, and whether it compiles.
    shared: BTreeMap<String, (Arc<str>, bool)>,
}

/// A call of a function that the engine does not have.
struct Unknown {
    name: String,
    is_method: bool,
    at: rhai::Position,
}

impl Functions {
    /// The functions of an engine.
    pub fn of(engine: &Engine) -> Self {
        let named =
            engine.collect_fn_metadata(None, |function| Some(function.metadata.name.to_string()), true);
        let named = named.into_iter().chain(KEYWORDS.map(ToOwned::to_owned)).collect();
        Functions { named, shared: BTreeMap::new() }
    }

    /// Adds the functions of the library.
    pub fn with_library(self, library: BTreeMap<String, (Arc<str>, bool)>) -> Self {
        Functions { shared: library, ..self }
    }

    /// Whether there is a function with this name.
    pub fn has(&self, name: &str) -> bool {
        self.named.contains(name)
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

    /// Reports calls of unknown functions and methods. A method may also be a function that a map holds, under a name
    /// that stands elsewhere in the text.
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
                Some(ASTNode::Expr(Expr::MethodCall(call, at))) if !self.has(call.name.as_str()) => {
                    calls.push(Unknown { name: call.name.to_string(), is_method: true, at: *at });
                }
                Some(ASTNode::Stmt(Stmt::FnCall(call, at)) | ASTNode::Expr(Expr::FnCall(call, at)))
                    if call.op_token.is_none() && !self.has(call.name.as_str()) =>
                {
                    calls.push(Unknown { name: call.name.to_string(), is_method: false, at: *at });
                }
                _ => {}
            }
            true
        });
        let unknown = calls
            .iter()
            .filter(|call| !(own.contains(&call.name) || call.is_method && held.contains(&call.name)));
        for Unknown { name, is_method, at } in unknown.take(TOLD) {
            let known = self.named.iter().map(String::as_str).filter(|known| known.chars().all(is_of_a_name));
            let what = if *is_method { "method" } else { "function" };
            errors.push(RuleError {
                place: place.within(at.line().unwrap_or(1), at.position().unwrap_or(1)),
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
