//! What can be seen to go wrong in a syntax tree: operators between a string and a number, and misspelt attributes of the
//! event. When the rule runs, both would be found only in some events.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt, Token};

use super::{
    habits::ATTRIBUTES,
    operators::MINUS,
    source::{Place, RuleError},
};
use crate::words::{Word, duration, function};

const SUBTRACTED: &str = "a string cannot be subtracted, or be subtracted from";
/// Maximum number of such errors reported for a script.
const TOLD: usize = 20;
/// Helpers and methods whose answers are strings.
const STRINGS: [&str; 13] = [
    "text",
    "title",
    "money",
    "format",
    "plural",
    "join",
    "lines",
    "truncate",
    "to_upper",
    "to_lower",
    "sub_string",
    "type_of",
    "to_string",
];
/// Helpers whose answers are times.
const TIMES: [&str; 3] = ["time", "now", "next_in_hours"];
/// Helpers and methods whose answers are numbers.
const NUMBERS: [&str; 4] = ["number", "len", "parse_int", "parse_float"];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    String,
    Number,
    Time,
    Duration,
}

/// Adds such errors of a syntax tree.
pub fn check(ast: &AST, place: &Place, errors: &mut Vec<RuleError>) {
    let before = errors.len();
    let own = |name: &str| ast.iter_functions().any(|function| function.name == name);
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        let found = match nodes.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                let found = operator(call).map(|(message, help)| (*at, message, Some(help)));
                found.or_else(|| argument(call).filter(|_| !own(&call.name)))
            }
            Some(ASTNode::Stmt(Stmt::Assignment(it))) => {
                let is_minus = it.0.get_op_assignment_info().is_some_and(|(_, _, op, ..)| *op == Token::MinusAssign);
                // Rhai takes such a text out of the other, in silence.
                (is_minus && kind(&it.1.rhs) == Some(Kind::String)).then(|| {
                    let help = "make a number of the string: `number(value)`; to take a text out: `value.replace(text, \"\")`";
                    (it.0.position(), SUBTRACTED.to_owned(), Some(help.to_owned()))
                })
            }
            Some(ASTNode::Expr(Expr::Dot(it, _, _))) if is_event(&it.lhs) => {
                attribute(&it.rhs).map(|(at, message, help)| (at, message, Some(help)))
            }
            _ => None,
        };
        errors.extend(found.map(|(at, message, help)| RuleError {
            place: place.within(at.line().unwrap_or(1), at.position().unwrap_or(1)),
            message,
            help,
        }));
        errors.len() < before + TOLD
    });
}

fn is_event(expression: &Expr) -> bool {
    matches!(expression, Expr::Variable(variable, ..) if variable.1 == "event")
}

/// A string and a number, compared or subtracted, and the like with times.
fn operator(call: &FnCallExpr) -> Option<(String, String)> {
    let [a, b] = call.args.as_slice() else { return None };
    let kinds = (kind(a), kind(b));
    call.op_token.as_ref()?;
    let name = call.name.as_str();
    match (name, kinds) {
        (
            "<" | ">" | "<=" | ">=" | "==" | "!=",
            (Some(Kind::String), Some(Kind::Number)) | (Some(Kind::Number), Some(Kind::String)),
        ) => {
            let help = match [a, b].into_iter().any(is_quoted_number) {
                true => "write the number without quotes",
                false => "make a number of the string: `number(value)`",
            };
            Some((format!("`{name}` between a string and a number"), help.to_owned()))
        }
        (
            "<" | ">" | "<=" | ">=" | "==" | "!=",
            (Some(Kind::Time), Some(other)) | (Some(other), Some(Kind::Time)),
        ) if other != Kind::Time => {
            let what = if other == Kind::String { "a string" } else { "a number" };
            Some((
                format!("`{name}` between a time and {what}"),
                "make a time of it: `time(value)`".to_owned(),
            ))
        }
        (MINUS | "+", (Some(Kind::Time | Kind::Duration), Some(Kind::String))) => match b {
            Expr::StringConstant(text, _) => duration(text.trim())
                .err()
                .map(|why| (why, format!("for example `now() {} \"24h\"`", sign(name)))),
            _ => None,
        },
        // It would be a text with another behind it.
        ("+", _) if is_time_of_event(a) && is_duration(b) => Some((
            "a duration cannot be added to a string".to_owned(),
            "make a time of it: `time(value) + \"24h\"`".to_owned(),
        )),
        (MINUS, (Some(Kind::String), _)) | (MINUS, (_, Some(Kind::String)))
            if !matches!(kinds.0, Some(Kind::Time | Kind::Duration))
                && (kinds.0.is_some() || is_of_event(a)) =>
        {
            let help = match [a, b].into_iter().any(|part| is_time_of_event(part) || is_duration(part)) {
                true => "make a time of it: `time(value) - \"24h\"`",
                false => "make a number of the string: `number(value)`",
            };
            Some((SUBTRACTED.to_owned(), help.to_owned()))
        }
        (MINUS | "+", (Some(of @ (Kind::Time | Kind::Duration)), Some(Kind::Number))) => {
            let verb = if name == "+" { "added to" } else { "subtracted from" };
            let help = format!("write a duration: `now() {} \"10m\"`", sign(name));
            let what = if of == Kind::Time { "time" } else { "duration" };
            Some((format!("a number cannot be {verb} a {what}"), help))
        }
        _ => None,
    }
}

/// An operator as authors write it.
fn sign(name: &str) -> &str {
    if name == MINUS { "-" } else { name }
}

/// Whether a value is read from the event: it is never a time, but a string.
fn is_of_event(expression: &Expr) -> bool {
    match expression {
        Expr::Dot(it, ..) | Expr::Index(it, ..) => is_event(&it.lhs) && !ends_with_a_call(&it.rhs),
        _ => false,
    }
}

fn ends_with_a_call(expression: &Expr) -> bool {
    match expression {
        Expr::Dot(it, ..) | Expr::Index(it, ..) => ends_with_a_call(&it.rhs),
        Expr::MethodCall(..) | Expr::FnCall(..) => true,
        _ => false,
    }
}

/// An argument of a word that is written out, and wrong.
fn argument(call: &FnCallExpr) -> Option<(Position, String, Option<String>)> {
    let function = function(&call.name).filter(|_| call.op_token.is_none())?;
    if !function.arity().contains(&call.args.len()) {
        return None;
    }
    let words: Vec<Option<Word>> = call.args.iter().map(written).collect();
    let (index, why) = function.doubt(&words)?;
    Some((call.args.get(index)?.position(), why, None))
}

/// A value that is written out.
fn written(expression: &Expr) -> Option<Word> {
    Some(match expression {
        Expr::StringConstant(text, _) => Word::Text(text.to_string()),
        Expr::CharConstant(character, _) => Word::Text(character.to_string()),
        Expr::IntegerConstant(int, _) => Word::Int(*int),
        Expr::FloatConstant(float, _) => Word::Float(**float),
        Expr::BoolConstant(yes, _) => Word::Bool(*yes),
        Expr::Unit(_) => Word::Nothing,
        _ => return None,
    })
}

fn is_quoted_number(expression: &Expr) -> bool {
    matches!(expression, Expr::StringConstant(text, _) if text.trim().parse::<f64>().is_ok())
}

/// `event.time`.
fn is_time_of_event(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Dot(it, ..) if is_event(&it.lhs) && matches!(&it.rhs, Expr::Property(name, _) if name.2 == "time")
    )
}

/// A duration such as `"24h"`.
fn is_duration(expression: &Expr) -> bool {
    matches!(expression, Expr::StringConstant(text, _) if duration(text).is_ok())
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
            None if TIMES.contains(&call.name.as_str()) => Some(Kind::Time),
            None if call.name == "duration" => Some(Kind::Duration),
            Some(Token::Plus)
                if matches!(call.args.first().and_then(kind), Some(Kind::Time | Kind::Duration)) =>
            {
                call.args.first().and_then(kind)
            }
            Some(Token::Plus) if call.args.iter().any(|part| kind(part) == Some(Kind::String)) => {
                Some(Kind::String)
            }
            Some(Token::Multiply | Token::Divide | Token::Modulo) => Some(Kind::Number),
            Some(_) if call.name == MINUS => match call.args.as_slice() {
                [a, b] if kind(a) == Some(Kind::Time) => {
                    matches!(kind(b), Some(Kind::String)).then_some(Kind::Time)
                }
                arguments => {
                    arguments.iter().any(|part| kind(part) == Some(Kind::Number)).then_some(Kind::Number)
                }
            },
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
