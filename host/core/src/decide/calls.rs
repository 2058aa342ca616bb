//! Calls of functions that do not exist, found before they run: Rhai itself looks a function up only when it is
//! called, which may be at night.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Engine, Expr, Stmt};

use super::source::{Place, RuleError, closest};
use crate::bounds::cut;

/// What Rhai's grammar knows without a package.
const KEYWORDS: [&str; 9] =
    ["print", "debug", "type_of", "Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn"];

/// How many unknown functions of a script are told.
const TOLD: usize = 20;

/// The functions that every rule may call.
pub struct Functions(BTreeSet<String>);

impl Functions {
    /// Those of an engine.
    pub fn of(engine: &Engine) -> Self {
        let named =
            engine.collect_fn_metadata(None, |function| Some(function.metadata.name.to_string()), true);
        Functions(named.into_iter().chain(KEYWORDS.map(ToOwned::to_owned)).collect())
    }

    /// Finds the calls of unknown functions. Methods are left out: a map may hold a function of any name.
    pub fn check(&self, ast: &AST, place: &Place, errors: &mut Vec<RuleError>) {
        let mut own: BTreeSet<String> = BTreeSet::new();
        for function in ast.iter_functions() {
            own.insert(function.name.to_owned());
            own.extend(function.params.iter().map(|&name| name.to_owned()));
        }
        let mut calls = Vec::new();
        ast.walk(&mut |nodes: &[ASTNode<'_>]| {
            match nodes.last() {
                Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                    own.insert(variable.0.name.to_string());
                }
                Some(ASTNode::Stmt(Stmt::FnCall(call, at)) | ASTNode::Expr(Expr::FnCall(call, at)))
                    if call.op_token.is_none() && !self.0.contains(call.name.as_str()) =>
                {
                    calls.push((call.name.to_string(), *at));
                }
                _ => {}
            }
            true
        });
        for (name, at) in calls.iter().filter(|(name, _)| !own.contains(name)).take(TOLD) {
            let known = self.0.iter().map(String::as_str).filter(|known| known.chars().all(is_of_a_name));
            errors.push(RuleError {
                place: place.within(at.line().unwrap_or(1), at.position().unwrap_or(1)),
                message: format!("there is no function `{}`", cut(name, 100)),
                help: closest(name, known.chain(own.iter().map(String::as_str)))
                    .map(|close| format!("did you mean `{close}`?")),
            });
        }
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
