//! Joins values that can be empty with a word beside them: Meta rejects empty values, and `N/A` within a sentence is
//! nonsense. `{{ n }} line{% if n > 1 %}s{% endif %}` becomes `{{1}} {{2}}`, where the second value is `line` or `lines`.

use super::{MetaParameter, is_label};

/// A part of a body.
#[derive(Clone, Debug)]
pub(super) enum Token {
    /// Text without white space.
    Word(String),
    /// White space within a line.
    Space(String),
    /// White space with a line break.
    Break(String),
    /// A value.
    Value(Value),
    /// A tag without output, such as `{% set … %}`.
    Silent(String),
}

/// A value, which becomes a parameter.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// The parameter.
    pub parameter: MetaParameter,
    /// A template that renders to it.
    pub template: String,
    /// Whether it can be empty by the way it is written.
    pub can_be_empty: bool,
    /// Whether it may begin with a space, which a parameter would lose.
    pub begins_with_space: bool,
    /// Whether it may end with a space, which a parameter would lose.
    pub ends_with_space: bool,
}

/// How far a value reaches to one side.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    No,
    /// To what it touches.
    Touching,
    /// To the next word of the line.
    Line,
    /// To the word on the other side of a single line break.
    Break,
}

use Reach::{Break, Line, No, Touching};

/// The tokens, with values that take in a word beside them where that is needed.
pub(super) fn joined(mut tokens: Vec<Token>) -> Vec<Token> {
    let mut index = 0;
    while index < tokens.len() {
        if let Token::Value(value) = &tokens[index] {
            let value = value.clone();
            let range = needed(&tokens, index, &value).find(|&(from, to)| is_good(&tokens, index, from, to));
            match range {
                Some((from, to)) => {
                    let whole = merged(&tokens[from..=to], value.parameter);
                    tokens.splice(from..=to, [Token::Value(whole)]);
                    index = from;
                }
                None if leaves_a_gap(&tokens, index, &value) => {
                    if let Token::Value(value) = &mut tokens[index] {
                        value.parameter.leaves_a_gap = true;
                    }
                }
                None => {}
            }
        }
        index += 1;
    }
    tokens
}

/// The ranges that a value may be joined to, the best one first; none if it may stay as it is.
fn needed(tokens: &[Token], index: usize, value: &Value) -> impl Iterator<Item = (usize, usize)> {
    let touches = |at: Option<usize>| at.and_then(|at| tokens.get(at)).is_some_and(has_output);
    let left = value.begins_with_space && touches(index.checked_sub(1));
    let right = value.ends_with_space && touches(Some(index + 1));
    let reaches: &[(Reach, Reach)] = match (left, right) {
        (true, true) => &[(Touching, Touching)],
        (true, false) => &[(Touching, No)],
        (false, true) => &[(No, Touching)],
        (false, false) if !leaves_a_gap(tokens, index, value) => &[],
        // What touches it must come with it, as a parameter loses the spaces at its ends.
        (false, false) => match (touches(index.checked_sub(1)), touches(Some(index + 1))) {
            (true, true) => &[(Touching, No), (No, Touching), (Touching, Touching)],
            (true, false) => &[(Touching, No), (Touching, Line)],
            (false, true) => &[(No, Touching), (Line, Touching)],
            (false, false) => &[(No, Line), (Line, No), (Break, No), (No, Break)],
        },
    };
    let ranges = reaches.iter().filter_map(move |(left, right)| {
        Some((reached(tokens, index, *left, true)?, reached(tokens, index, *right, false)?))
    });
    ranges.collect::<Vec<_>>().into_iter()
}

/// Whether a value that can be empty stands where `N/A` would not read well.
fn leaves_a_gap(tokens: &[Token], index: usize, value: &Value) -> bool {
    let ends_line = matches!(tokens.get(index + 1), None | Some(Token::Break(_)));
    let before = tokens[..index].iter().rev().take_while(|token| !matches!(token, Token::Break(_)));
    let has_a_label = match before.clone().find(|token| !matches!(token, Token::Space(_))) {
        Some(Token::Word(word)) => is_label(word),
        _ => false,
    };
    value.can_be_empty && !(ends_line && has_a_label)
}

/// The last token that a value takes in on one side; `None` if it cannot reach that far.
fn reached(tokens: &[Token], index: usize, reach: Reach, left: bool) -> Option<usize> {
    let next =
        |at: usize| if left { at.checked_sub(1) } else { Some(at + 1).filter(|at| *at < tokens.len()) };
    let mut at = index;
    match reach {
        No => return Some(index),
        Touching => {}
        Line => {
            at = next(at)?;
            matches!(tokens[at], Token::Space(_)).then_some(())?;
        }
        Break => {
            at = next(at)?;
            matches!(&tokens[at], Token::Break(text) if text.matches('\n').count() == 1).then_some(())?;
        }
    }
    let from = at;
    loop {
        let beyond = next(at).filter(|beyond| has_output(&tokens[*beyond]));
        // A value next to the word is taken in too: Meta rejects values without text between them.
        let value = || {
            let space = next(at).filter(|space| matches!(tokens[*space], Token::Space(_)))?;
            next(space).filter(|beyond| matches!(tokens[*beyond], Token::Value(_)))
        };
        match beyond.or_else(|| value().filter(|_| at != from)) {
            Some(beyond) => at = beyond,
            None => return (at != from).then_some(at),
        }
    }
}

fn has_output(token: &Token) -> bool {
    matches!(token, Token::Word(_) | Token::Value(_))
}

/// Whether Meta would take the body as well after joining as before: not only because of it does the body begin or end
/// with a value, or do values stand side by side.
fn is_good(tokens: &[Token], index: usize, from: usize, to: usize) -> bool {
    let is_text =
        |token: &Token| matches!(token, Token::Word(word) if word.contains(|c: char| !c.is_whitespace()));
    let begins = |at: usize| !tokens[..at].iter().any(is_text);
    let ends = |at: usize| !tokens[at + 1..].iter().any(is_text);
    let is_value = |token: Option<&Token>| matches!(token, Some(Token::Value(_)));
    let beside = |from: usize, to: usize| {
        is_value(tokens[..from].iter().rev().find(|token| has_output(token)))
            || is_value(tokens[to + 1..].iter().find(|token| has_output(token)))
    };
    // What is taken in becomes part of a template.
    let is_plain = |token: &Token| match token {
        Token::Word(word) => !word.contains(['{', '}', '%', '#']),
        Token::Silent(_) => false,
        _ => true,
    };
    (!begins(from) || begins(index))
        && (!ends(to) || ends(index))
        && (!beside(from, to) || beside(index, index))
        && tokens[from..=to].iter().all(is_plain)
}

fn merged(tokens: &[Token], parameter: MetaParameter) -> Value {
    let mut template = String::new();
    let mut can_be_empty = true;
    for token in tokens {
        match token {
            Token::Word(text) => {
                template.push_str(text);
                can_be_empty = false;
            }
            Token::Space(text) | Token::Break(text) | Token::Silent(text) => template.push_str(text),
            Token::Value(value) => {
                template.push_str(&value.template);
                can_be_empty &= value.can_be_empty;
            }
        }
    }
    let at_edge = |token: Option<&Token>| match token {
        Some(Token::Value(value)) => (value.begins_with_space, value.ends_with_space),
        _ => (false, false),
    };
    Value {
        parameter,
        template,
        can_be_empty,
        begins_with_space: at_edge(tokens.first()).0,
        ends_with_space: at_edge(tokens.last()).1,
    }
}
