//! What can be seen to go wrong in a syntax tree: operators between a string and a number, and misspelt attributes of the
//! event. When the rule runs, both would be found only in some events.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt, Token};

use super::{
    habits::ATTRIBUTES,
    operators::MINUS,
    source::{Place, RuleError},
};
use crate::bounds::cut;

/// Maximum length of a string that is repeated in a message, in characters.
const SHOWN: usize = 40;
/// Maximum number of such errors reported for a script.
const TOLD: usize = 20;
/// Helpers and methods whose answers are strings.
const STRINGS: [&str; 9] =
    ["text", "title", "money", "now", "to_upper", "to_lower", "sub_string", "type_of", "to_string"];
/// Helpers and methods whose answers are numbers.
const NUMBERS: [&str; 4] = ["number", "len", "parse_int", "parse_float"];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    String,
    Number,
}

/// Adds such errors of a syntax tree.
pub fn check(ast: &AST, place: &Place, errors: &mut Vec<RuleError>) {
    let before = errors.len();
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        let found = match nodes.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                operator(call).map(|(message, help)| (*at, message, help))
            }
            Some(ASTNode::Expr(Expr::Dot(it, _, _))) if is_event(&it.lhs) => attribute(&it.rhs),
            _ => None,
        };
        errors.extend(found.map(|(at, message, help)| RuleError {
            place: place.within(at.line().unwrap_or(1), at.position().unwrap_or(1)),
            message,
            help: Some(help),
        }));
        errors.len() < before + TOLD
    });
}

fn is_event(expression: &Expr) -> bool {
    matches!(expression, Expr::Variable(variable, ..) if variable.1 == "event")
}

/// A string and a number, compared or subtracted.
fn operator(call: &FnCallExpr) -> Option<(String, String)> {
    let [a, b] = call.args.as_slice() else { return None };
    let kinds = [kind(a), kind(b)];
    call.op_token.as_ref()?;
    match call.name.as_str() {
        "<" | ">" | "<=" | ">=" | "==" | "!="
            if kinds.contains(&Some(Kind::String)) && kinds.contains(&Some(Kind::Number)) =>
        {
            let help = match [a, b].into_iter().any(is_quoted_number) {
                true => "write the number without quotes",
                false => "make a number of the string: `number(value)`",
            };
            Some((format!("`{}` between a string and a number", call.name), help.to_owned()))
        }
        MINUS if kinds.contains(&Some(Kind::String)) => {
            let help = match [a, b].into_iter().any(is_time) {
                true => "times cannot be calculated with; `after` sends a message some time after the event",
                false => "make a number of the string: `number(value)`",
            };
            Some(("a string cannot be subtracted, or be subtracted from".to_owned(), help.to_owned()))
        }
        _ => None,
    }
}

fn is_quoted_number(expression: &Expr) -> bool {
    matches!(expression, Expr::StringConstant(text, _) if text.trim().parse::<f64>().is_ok())
}

/// `event.time`, `now()`, or a duration such as `"24h"`.
fn is_time(expression: &Expr) -> bool {
    match expression {
        Expr::Dot(it, ..) => {
            is_event(&it.lhs) && matches!(&it.rhs, Expr::Property(property, _) if property.2 == "time")
        }
        Expr::FnCall(call, _) => call.name == "now",
        Expr::StringConstant(text, _) => super::duration(text).is_ok(),
        _ => false,
    }
}

/// What an expression is for certain.
fn kind(expression: &Expr) -> Option<Kind> {
    match expression {
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => Some(Kind::String),
        Expr::IntegerConstant(..) | Expr::FloatConstant(..) => Some(Kind::Number),
        Expr::Dot(it, ..) => match &it.rhs {
            // All attributes but the data are strings.
            Expr::Property(property, _) if is_event(&it.lhs) => {
                (property.2 != "data" && ATTRIBUTES.contains(&property.2.as_str())).then_some(Kind::String)
            }
            rest => kind(rest),
        },
        Expr::FnCall(call, _) | Expr::MethodCall(call, _) => match &call.op_token {
            None if STRINGS.contains(&call.name.as_str()) => Some(Kind::String),
            None if NUMBERS.contains(&call.name.as_str()) => Some(Kind::Number),
            Some(Token::Plus) if call.args.iter().any(|part| kind(part) == Some(Kind::String)) => {
                Some(Kind::String)
            }
            Some(Token::Multiply | Token::Divide | Token::Modulo) => Some(Kind::Number),
            Some(_) if call.name == MINUS => Some(Kind::Number),
            _ => None,
        },
        _ => None,
    }
}

/// An attribute that no event has, and that looks like one that each has.
fn attribute(read: &Expr) -> Option<(Position, String, String)> {
    let (name, at) = match read {
        Expr::Property(property, at) => (property.2.as_str(), *at),
        Expr::Dot(it, ..) | Expr::Index(it, ..) => match &it.lhs {
            Expr::Property(property, at) => (property.2.as_str(), *at),
            _ => return None,
        },
        _ => return None,
    };
    let meant = ATTRIBUTES.into_iter().find(|known| {
        let distance = strsim::osa_distance(&name.to_lowercase(), known);
        *known != name && distance <= if known.len() > 4 { 2 } else { 1 }
    })?;
    (!ATTRIBUTES.contains(&name)).then(|| {
        let help = format!(
            "did you mean `event.{meant}`? An extension attribute of this name is `event[\"{name}\"]`"
        );
        (at, format!("an event has no attribute `{name}`"), help)
    })
}

/// Adds an error if the value of an expression has a tag of templates in it, which would be sent as it is.
pub fn check_tags(ast: &AST, place: &Place, errors: &mut Vec<RuleError>) {
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

/// Whether an expression says itself that it may give nothing: with `()`, `first(…)`, or an `if` without `else`.
pub fn names_nothing(ast: &AST, text: &str) -> bool {
    // Rhai makes `x` of `x ?? ()`.
    let mut names = text.match_indices("()").any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_some_and(|c| !c.is_alphanumeric() && c != '_')
    });
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        names |= nodes.last().is_some_and(is_nothing);
        !names
    });
    names
}

/// Whether a script says itself that a time of a decision may be nothing.
pub fn names_no_time(ast: &AST) -> bool {
    let mut names = false;
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::Map(map, _))) = nodes.last() {
            let times = map.0.iter().filter(|(key, _)| matches!(key.name.as_str(), "send_at" | "expires_at"));
            for (_, value) in times {
                value.walk(&mut Vec::new(), &mut |nodes: &[ASTNode<'_>]| {
                    names |= nodes.last().is_some_and(is_nothing);
                    !names
                });
            }
        }
        !names
    });
    names
}

fn is_nothing(node: &ASTNode<'_>) -> bool {
    match node {
        ASTNode::Expr(Expr::Unit(_)) => true,
        ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)) => call.name == "first",
        ASTNode::Stmt(Stmt::If(it, _)) => it.branch.is_empty(),
        _ => false,
    }
}
