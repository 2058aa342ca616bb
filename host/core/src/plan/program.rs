//! A template's body, compiled so that it always ends within its limits.
//!
//! minijinja's fuel limits instructions and output, but values share their contents: a list of ten lists of ten lists …
//! of one string costs a few instructions, and gigabytes as text. So each instruction that makes a value is followed by
//! one that weighs it ([`super::weigh`]): no value may be larger as text, or nested more deeply, than a limit. Namespaces,
//! the only mutable values, can hold neither each other nor themselves. All of this runs on the stack for authors' work,
//! where its values are also dropped.

use std::collections::{BTreeMap, HashSet};

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Value,
    machinery::{
        CodeGenerator, Instruction, Instructions, Span, Token, eval, make_string_output, parse, tokenize,
    },
    value::ValueKind,
};
use self_cell::self_cell;

use super::{
    compare,
    template::syntax,
    weigh::{self, SETTABLE, WEIGHED},
    words,
};
use crate::bounds::{REASON, on_author_stack, shown};

/// Maximum size of a body, in bytes; the text of a message has at most 4,096 characters.
const BODY: usize = 64 * 1024;
/// Maximum number of tags (`{{ … }}`, `{% … %}`) of a body.
const TAGS: usize = 2_000;
/// Maximum number of tokens of a tag: the compiler recurses over chains such as `a.b.c` or `a ~ b ~ c`.
const TOKENS: usize = 1_000;
/// Names that minijinja itself gives a value.
const OF_MINIJINJA: [&str; 3] = ["loop", "self", "caller"];
/// For instructions that are not in the compiled template's table of filters.
pub(super) const NO_LOCAL: u8 = !0;

struct Source {
    name: String,
    body: String,
}

struct Code<'a> {
    main: Instructions<'a>,
    blocks: BTreeMap<&'a str, Instructions<'a>>,
}

self_cell!(
    struct Compiled {
        owner: Source,
        #[covariant]
        dependent: Code,
    }
);

/// A compiled body.
pub(super) struct Program(Compiled);

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Program").field(&self.0.borrow_owner().name).finish()
    }
}

/// Why a body does not compile or render. Contains no values of the template.
#[derive(Debug)]
pub(super) struct Failure {
    pub kind: ErrorKind,
    /// Message, if minijinja has one.
    pub detail: Option<String>,
    /// Line of the body, from 1.
    pub line: usize,
    /// Bytes of the body that it is about.
    pub range: Option<std::ops::Range<usize>>,
    /// What to do about it, if that is known.
    pub help: Option<String>,
}

impl Failure {
    pub(super) fn at(span: Span, detail: &str) -> Self {
        Failure {
            kind: ErrorKind::SyntaxError,
            detail: Some(detail.to_owned()),
            line: usize::from(span.start_line),
            range: Some(span.start_offset as usize..span.end_offset as usize),
            help: None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.detail {
            Some(detail) => f.write_str(detail),
            None => self.kind.fmt(f),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            kind: error.kind(),
            detail: error.detail().map(|detail| shown(&detail, REASON)),
            line: error.line().unwrap_or(1),
            range: error.range(),
            help: None,
        }
    }
}

impl Program {
    /// Compiles a body.
    ///
    /// # Errors
    /// If it is not a valid template, or too large.
    pub(super) fn compile(name: &str, body: &str) -> Result<Program, Failure> {
        check(body)?;
        Program::of_checked(name, body)
    }

    /// Compiles a text derived from a body that has been checked.
    ///
    /// # Errors
    /// Returns the error of the compiler.
    pub(super) fn of_checked(name: &str, body: &str) -> Result<Program, Failure> {
        on_author_stack(|| {
            let source = Source { name: name.to_owned(), body: body.to_owned() };
            Compiled::try_new(source, |source| {
                let tree = parse(&source.body, &source.name, syntax())?;
                let mut generator = CodeGenerator::new(&source.name, &source.body);
                generator.compile_stmt(&tree);
                let (main, blocks) = generator.finish();
                let blocks = blocks.into_iter().map(|(name, block)| Ok((name, guarded(&block)?)));
                Ok(Code { main: guarded(&main)?, blocks: blocks.collect::<Result<_, Failure>>()? })
            })
            .map(Program)
        })
    }

    /// The instructions of the body and of its blocks, with the places that they come from.
    pub(super) fn instructions(&self) -> impl Iterator<Item = (&Instruction<'_>, Span)> {
        let code = self.0.borrow_dependent();
        std::iter::once(&code.main).chain(code.blocks.values()).flat_map(|code| {
            (0..).map_while(|at| Some((code.get(at)?, code.get_span(at).unwrap_or_default())))
        })
    }

    /// The variables of the context that the body reads.
    pub(super) fn variables(&self, environment: &Environment<'static>) -> HashSet<String> {
        let found = environment.template_from_named_str(&self.0.borrow_owner().name, self.body());
        let mut variables = found.map(|found| found.undeclared_variables(false)).unwrap_or_default();
        // What is only called is a word.
        variables.retain(|name| !words::is_word(name) || self.reads(name));
        // minijinja does not look at the value that a slice is taken of.
        let own = |name: &str| {
            let stores = |it| matches!(it, &Instruction::StoreLocal(own) if own == name);
            OF_MINIJINJA.contains(&name) || self.instructions().any(|(instruction, _)| stores(instruction))
        };
        let read = self.instructions().filter_map(|(instruction, _)| match instruction {
            Instruction::Lookup(name) => Some(*name),
            _ => None,
        });
        variables.extend(read.filter(|name| !own(name)).map(str::to_owned));
        variables.retain(|name| !environment.globals().any(|(global, _)| global == name));
        variables
    }

    /// Whether the body reads a variable of this name, of its own or from the context.
    pub(super) fn reads(&self, name: &str) -> bool {
        let is_read = |instruction| matches!(instruction, &Instruction::Lookup(read) if read == name);
        self.instructions().any(|(instruction, _)| is_read(instruction))
    }

    /// The body, as written.
    pub(super) fn body(&self) -> &str {
        &self.0.borrow_owner().body
    }

    /// Renders the body.
    ///
    /// # Errors
    /// Returns what went wrong, and where.
    pub(super) fn render(
        &self,
        environment: &Environment<'static>,
        context: &Value,
    ) -> Result<String, Failure> {
        on_author_stack(|| {
            weigh::begin();
            let code = self.0.borrow_dependent();
            let mut text = String::new();
            let mut out = make_string_output(&mut text);
            eval(environment, &code.main, context.clone(), &code.blocks, &mut out, AutoEscape::None)?;
            drop(out);
            Ok(text)
        })
    }
}

/// Rejects what would take long, or a deep stack, to compile.
fn check(body: &str) -> Result<(), Failure> {
    if body.len() > BODY {
        let detail = format!("the body is larger than {} KiB", BODY / 1024);
        return Err(Failure {
            kind: ErrorKind::SyntaxError,
            detail: Some(detail),
            line: 1,
            range: None,
            help: None,
        });
    }
    let (mut tags, mut tokens) = (0, 0);
    // Whether the tag has a list; `[` after a value is an index.
    let (mut lists, mut repeats, mut after_value) = (false, false, false);
    // The parser reports invalid tokens.
    for (token, span) in tokenize(body, false, syntax()).map_while(Result::ok) {
        tokens += 1;
        match token {
            Token::VariableStart | Token::BlockStart => {
                (tokens, lists, repeats) = (0, false, false);
                tags += 1;
            }
            Token::BracketOpen => lists |= !after_value,
            Token::Mul => repeats = true,
            _ => {}
        }
        if tags > TAGS {
            return Err(Failure::at(span, "the template has more than 2,000 tags"));
        }
        if tokens > TOKENS {
            return Err(Failure::at(span, "the tag has more than 1,000 tokens; split it up"));
        }
        if lists && repeats {
            // The compiler would turn it into a constant of any length.
            return Err(Failure::at(
                span,
                "a list and `*` cannot be used in the same tag; assign the list with `{% set %}`",
            ));
        }
        after_value =
            matches!(
                token,
                Token::Ident(_) | Token::BracketClose | Token::ParenClose | Token::Str(_) | Token::String(_)
            ) && !matches!(token, Token::Ident("in" | "not" | "and" | "or" | "if" | "else" | "elif" | "is"));
    }
    Ok(())
}

/// The same instructions, with a check after each one that makes a value.
fn guarded<'a>(code: &Instructions<'a>) -> Result<Instructions<'a>, Failure> {
    let old: Vec<Instruction<'a>> = (0..).map_while(|index| code.get(index).cloned()).collect();
    let sets = |index: usize| matches!(old.get(index), Some(Instruction::SetAttr(_)));
    let is_own = |name: &str| old.iter().any(|it| matches!(it, Instruction::StoreLocal(own) if *own == name));
    // New index of each instruction; a jump to one with a guard before it goes to the guard.
    let mut places = Vec::with_capacity(old.len() + 1);
    let mut next = 0_u32;
    for (index, instruction) in old.iter().enumerate() {
        places.push(next);
        let own = words::sum(instruction, 0).map_or(1, |sum| sum.len() as u32);
        next += own + u32::from(sets(index + 1)) + u32::from(makes_a_value(instruction));
    }
    places.push(next);
    let mut new = Instructions::new(code.name(), code.source());
    for (index, instruction) in old.iter().enumerate() {
        let at = index as u32;
        let mut add = |instruction: Instruction<'a>| match (code.get_span(at), code.get_line(at)) {
            (Some(span), _) => new.add_with_span(instruction, span),
            (None, Some(line)) => new.add_with_line(instruction, u16::try_from(line).unwrap_or(u16::MAX)),
            (None, None) => new.add(instruction),
        };
        if sets(index) && !matches!(old.get(index.wrapping_sub(1)), Some(Instruction::Lookup(_))) {
            let span = code.get_span(at).unwrap_or_default();
            return Err(Failure::at(
                span,
                "only an attribute of a variable can be set, for example `ns.count`",
            ));
        }
        if sets(index + 1) {
            // The namespace is looked up next; its new value is on top of the stack now.
            add(Instruction::ApplyFilter(SETTABLE, Some(1), NO_LOCAL));
        }
        let weighed = makes_a_value(instruction);
        let first = places[index] + u32::from(sets(index + 1));
        if let Some(sum) = words::sum(instruction, first) {
            for instruction in sum {
                add(instruction);
            }
            add(Instruction::ApplyFilter(WEIGHED, Some(1), NO_LOCAL));
            continue;
        }
        let filter = compare::filter_of(instruction).map(|filter| (filter, Some(2)));
        let word = match instruction {
            Instruction::CallFunction(name, count) if !is_own(name) => {
                words::filter_of(name).map(|filter| (filter, *count))
            }
            _ => None,
        };
        let mut instruction = match filter.or(word) {
            Some((filter, count)) => Instruction::ApplyFilter(filter, count, NO_LOCAL),
            None => instruction.clone(),
        };
        match &mut instruction {
            Instruction::Iterate(target)
            | Instruction::Jump(target)
            | Instruction::JumpIfFalse(target)
            | Instruction::JumpIfFalseOrPop(target)
            | Instruction::JumpIfTrueOrPop(target)
            | Instruction::BuildMacro(_, target, _) => {
                *target = places.get(*target as usize).copied().unwrap_or(*target);
            }
            // It keeps its arguments, which may contain the loop itself.
            Instruction::CallMethod("changed", _) => {
                let span = code.get_span(at).unwrap_or_default();
                return Err(Failure::at(span, "`loop.changed` is not available; compare the values instead"));
            }
            _ => {}
        }
        add(instruction);
        if weighed {
            add(Instruction::ApplyFilter(WEIGHED, Some(1), NO_LOCAL));
        }
    }
    Ok(new)
}

/// Whether an instruction may make a value that is larger as text than its operands.
fn makes_a_value(instruction: &Instruction<'_>) -> bool {
    match instruction {
        // Maps of constants are no longer than their source; keyword arguments are such maps.
        Instruction::LoadConst(value) => matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable),
        Instruction::BuildMap(_)
        | Instruction::BuildList(_)
        | Instruction::BuildTuple(_)
        | Instruction::Add
        | Instruction::Sub
        | Instruction::Mul
        | Instruction::StringConcat
        | Instruction::ApplyFilter(..)
        | Instruction::CallFunction(..)
        | Instruction::CallMethod(..)
        | Instruction::CallObject(_)
        | Instruction::EndCapture => true,
        _ => false,
    }
}
