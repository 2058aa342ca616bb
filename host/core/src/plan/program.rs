//! A template's body, compiled so that whatever it does ends within bounds.
//!
//! minijinja's fuel pays for each instruction and for each byte that is produced, but values share what they hold: a
//! list of ten lists of ten lists … of one text costs a few instructions, and as a text it is gigabytes. So each
//! instruction that makes a value is followed by one that weighs it ([`super::weigh`]): no value of a rendering would
//! take more as a text than a limit, or nests deeper than a limit. Namespaces, the only values that change, hold
//! neither each other nor themselves. All of this runs on the stack for authors' work, where its values are dropped,
//! too.

use std::collections::BTreeMap;

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Value,
    machinery::{
        CodeGenerator, Instruction, Instructions, Span, Token, eval, make_string_output, parse, tokenize,
    },
    value::ValueKind,
};
use self_cell::self_cell;

use super::{
    template::syntax,
    weigh::{self, SETTABLE, WEIGHED},
};
use crate::bounds::{REASON, on_author_stack, shown};

/// The size of a body, in bytes; what people read has 4,096 characters at most.
const BODY: usize = 64 * 1024;
/// How many tags (`{{ … }}`, `{% … %}`) a body has at most.
const TAGS: usize = 2_000;
/// How many words and signs a tag has at most: the compiler recurses over chains such as `a.b.c` or `a ~ b ~ c`.
const TOKENS: usize = 1_000;
/// For instructions that are not in the table of filters of the compiled template.
const NO_LOCAL: u8 = !0;

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

/// Why a body does not compile or render; holds no value of the template.
#[derive(Debug)]
pub(super) struct Failure {
    pub kind: ErrorKind,
    /// In words, where minijinja has some.
    pub detail: Option<String>,
    /// From 1, of the body.
    pub line: usize,
    /// The bytes of the body that it is about.
    pub range: Option<std::ops::Range<usize>>,
}

impl Failure {
    fn at(span: Span, detail: &str) -> Self {
        Failure {
            kind: ErrorKind::SyntaxError,
            detail: Some(detail.to_owned()),
            line: usize::from(span.start_line),
            range: Some(span.start_offset as usize..span.end_offset as usize),
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
        }
    }
}

impl Program {
    /// Compiles a body.
    ///
    /// # Errors
    /// Where it is no template, or too large or too long a chain to be compiled.
    pub(super) fn compile(name: &str, body: &str) -> Result<Program, Failure> {
        check(body)?;
        Program::of_checked(name, body)
    }

    /// Compiles what was made of a body that has been compiled.
    ///
    /// # Errors
    /// What the compiler says.
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

    /// The body as it was written.
    pub(super) fn body(&self) -> &str {
        &self.0.borrow_owner().body
    }

    /// What it renders to.
    ///
    /// # Errors
    /// What went wrong, and where.
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

/// Refuses what would take long, or a deep stack, to compile.
fn check(body: &str) -> Result<(), Failure> {
    if body.len() > BODY {
        let detail = format!("the body is larger than {} KiB", BODY / 1024);
        return Err(Failure { kind: ErrorKind::SyntaxError, detail: Some(detail), line: 1, range: None });
    }
    let (mut tags, mut tokens) = (0, 0);
    // A list stands in the tag; `[` after a value takes an item of it.
    let (mut lists, mut repeats, mut after_value) = (false, false, false);
    // What is no token is told by the parser.
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
            return Err(Failure::at(span, "the tag has more than 1,000 words and signs; write it shorter"));
        }
        if lists && repeats {
            // The compiler would make a constant of it, however long.
            return Err(Failure::at(
                span,
                "a list cannot stand beside `*` in one tag; use `{% set %}` for it",
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

/// The same instructions, with each value weighed that one of them makes.
fn guarded<'a>(code: &Instructions<'a>) -> Result<Instructions<'a>, Failure> {
    let old: Vec<Instruction<'a>> = (0..).map_while(|index| code.get(index).cloned()).collect();
    let sets = |index: usize| matches!(old.get(index), Some(Instruction::SetAttr(_)));
    // Where each instruction stands in the new ones; a jump to one with a guard before it goes to the guard.
    let mut places = Vec::with_capacity(old.len() + 1);
    let mut next = 0_u32;
    for (index, instruction) in old.iter().enumerate() {
        places.push(next);
        next += 1 + u32::from(sets(index + 1)) + u32::from(makes_a_value(instruction));
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
            return Err(Failure::at(span, "only an attribute of a variable can be set, such as `ns.count`"));
        }
        if sets(index + 1) {
            // The namespace is looked up next; the value that it is to hold lies on top now.
            add(Instruction::ApplyFilter(SETTABLE, Some(1), NO_LOCAL));
        }
        let mut instruction = instruction.clone();
        match &mut instruction {
            Instruction::Iterate(target)
            | Instruction::Jump(target)
            | Instruction::JumpIfFalse(target)
            | Instruction::JumpIfFalseOrPop(target)
            | Instruction::JumpIfTrueOrPop(target)
            | Instruction::BuildMacro(_, target, _) => {
                *target = places.get(*target as usize).copied().unwrap_or(*target);
            }
            // It keeps its arguments, which may hold the loop itself.
            Instruction::CallMethod("changed", _) => {
                let span = code.get_span(at).unwrap_or_default();
                return Err(Failure::at(span, "`loop.changed` is not available; compare the values instead"));
            }
            _ => {}
        }
        let weighed = makes_a_value(&instruction);
        add(instruction);
        if weighed {
            add(Instruction::ApplyFilter(WEIGHED, Some(1), NO_LOCAL));
        }
    }
    Ok(new)
}

/// Whether an instruction may leave a value that takes more as a text than what it was made of.
fn makes_a_value(instruction: &Instruction<'_>) -> bool {
    match instruction {
        // Maps of constants are no longer than they are written; keyword arguments are such.
        Instruction::LoadConst(value) => matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable),
        Instruction::BuildMap(_)
        | Instruction::BuildList(_)
        | Instruction::BuildTuple(_)
        | Instruction::Add
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
