//! Tags of templates in expressions: they would be sent as they are.

use rhai::{AST, Expr, FnCallExpr, Position, Stmt, Token};

use super::source::{Place, RuleError};
use crate::bounds::cut;

/// Maximum length of a string that is repeated in a message, in characters.
const SHOWN: usize = 40;

/// Adds an error if the value of an expression has a tag of templates in it, which would be sent as it is.
pub fn check(ast: &AST, place: &Place, errors: &mut Vec<RuleError>) {
    let found = match ast.statements() {
        [Stmt::Expr(value)] => tag(value),
        [Stmt::FnCall(call, _)] => tag_of_call(call),
        _ => None,
    };
    if let Some((text, at)) = found {
        errors.push(RuleError {
            place: place.within(at.line().unwrap_or(1), at.position().unwrap_or(1)),
            message: format!("the string {:?} would be sent as it is", cut(text, SHOWN)),
            help: Some("tags are for templates; here write `\"Hello \" + event.data.name`".to_owned()),
        });
    }
}

/// A string with a tag that is a part of a value.
fn tag(value: &Expr) -> Option<(&str, Position)> {
    match value {
        Expr::StringConstant(text, at) if text.contains("{{") || text.contains("{%") => {
            Some((text.as_str(), *at))
        }
        Expr::InterpolatedString(parts, _) => parts.iter().find_map(tag),
        Expr::FnCall(call, _) => tag_of_call(call),
        Expr::Coalesce(parts, _) => parts.iter().find_map(tag),
        _ => None,
    }
}

fn tag_of_call(call: &FnCallExpr) -> Option<(&str, Position)> {
    let gives_its_arguments = call.name == "first" || matches!(call.op_token, Some(Token::Plus));
    call.args.iter().filter(|_| gives_its_arguments).find_map(tag)
}
