//! A body as a line of words and values, read from its syntax tree.

use minijinja::machinery::{
    Span,
    ast::{BinOpKind, Expr, IfCond, Stmt},
};

use super::{
    super::program::Program,
    MetaParameter,
    joined::{Token, Value},
};

/// Splits a body into its words and values.
pub(super) fn pieces<'a>(body: &'a str, tree: &Stmt<'a>) -> Vec<Token> {
    let mut reader = Reader { body, tokens: Vec::new() };
    if let Stmt::Template(template) = tree {
        reader.statements(&template.children);
    }
    reader.tokens
}

struct Reader<'a> {
    body: &'a str,
    tokens: Vec<Token>,
}

/// A part of a line within a condition.
enum Part<'a> {
    Text(&'a str),
    Value(Span),
}

impl<'a> Reader<'a> {
    fn statements(&mut self, statements: &[Stmt<'a>]) {
        for statement in statements {
            match statement {
                Stmt::EmitRaw(raw) => self.text(raw.raw),
                Stmt::EmitExpr(emit) => {
                    let source = self.source(emit.span());
                    let value = self.value(emit.span(), source, &format!("{{{{ {source} }}}}"));
                    let can_be_empty = expression_can_be_empty(&emit.expr);
                    self.tokens.push(Token::Value(Value { can_be_empty, ..value }));
                }
                Stmt::IfCond(condition) => match self.labelled(condition, condition.span()) {
                    Some(lines) => self.labels(condition, lines),
                    None => self.block(condition.span(), statement),
                },
                Stmt::ForLoop(it) => self.block(it.span(), statement),
                Stmt::WithBlock(it) => self.block(it.span(), statement),
                Stmt::AutoEscape(it) => self.block(it.span(), statement),
                Stmt::FilterBlock(it) => self.block(it.span(), statement),
                Stmt::Block(it) => self.block(it.span(), statement),
                Stmt::Include(it) => self.block(it.span(), statement),
                Stmt::CallBlock(it) => self.block(it.span(), statement),
                // These have no output, but later statements may need them.
                Stmt::Set(it) => self.silent(it.span()),
                Stmt::SetBlock(it) => self.silent(it.span()),
                Stmt::Macro(it) => self.silent(it.span()),
                Stmt::Import(it) => self.silent(it.span()),
                Stmt::FromImport(it) => self.silent(it.span()),
                Stmt::Do(it) => self.silent(it.span()),
                Stmt::Template(_) | Stmt::Extends(_) => {}
            }
        }
    }

    /// Adds the words, the spaces between them and the line breaks of a text.
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_space = first.is_whitespace();
            let end = rest.find(|c: char| c.is_whitespace() != is_space).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            rest = after;
            let part = part.to_owned();
            self.tokens.push(match is_space {
                true if part.contains('\n') => Token::Break(part),
                true => Token::Space(part),
                false => Token::Word(part),
            });
        }
    }

    /// The lines of an `{% if x %}` on lines of its own, if each of them is a label with values that use `x`: such a line
    /// can always be shown.
    fn labelled<'b>(&self, condition: &'b IfCond<'a>, span: Span) -> Option<Vec<Vec<Part<'b>>>>
    where
        'a: 'b,
    {
        let Expr::Var(variable) = &condition.expr else { return None };
        if !condition.false_body.is_empty() || !self.is_on_lines_of_its_own(span) {
            return None;
        }
        let mut lines: Vec<Vec<Part<'b>>> = vec![Vec::new()];
        for statement in &condition.true_body {
            match statement {
                Stmt::EmitRaw(raw) => {
                    for (index, part) in raw.raw.split('\n').enumerate() {
                        if index > 0 {
                            lines.push(Vec::new());
                        }
                        lines.last_mut()?.push(Part::Text(part));
                    }
                }
                Stmt::EmitExpr(emit) => {
                    let value = format!("{{{{ {} }}}}", self.source(emit.span()));
                    if !Program::of_checked("", &value).is_ok_and(|value| value.reads(variable.id)) {
                        return None;
                    }
                    lines.last_mut()?.push(Part::Value(emit.span()));
                }
                _ => return None,
            }
        }
        lines.retain(|line| {
            !line.iter().all(|part| matches!(part, Part::Text(text) if text.trim().is_empty()))
        });
        let is_labelled = |line: &Vec<Part<'_>>| {
            matches!(line.first(), Some(Part::Text(text)) if label(text).is_some())
                && line.iter().any(|part| matches!(part, Part::Value(_)))
                // It would be read as a tag.
                && !line.iter().any(|part| matches!(part, Part::Text(text) if text.contains('{')))
        };
        (!lines.is_empty() && lines.iter().all(is_labelled)).then_some(lines)
    }

    /// Adds lines with labels: what follows a label is one value.
    fn labels(&mut self, condition: &IfCond<'a>, lines: Vec<Vec<Part<'_>>>) {
        let when = self.source(condition.expr.span());
        for line in lines {
            let mut parts = line.into_iter();
            let Some(Part::Text(first)) = parts.next() else { continue };
            let (label, rest) = label(first).unwrap_or((first, ""));
            self.text(label);
            let (mut shown, mut span) = (rest.to_owned(), None);
            for part in parts {
                match part {
                    Part::Text(text) => shown.push_str(text),
                    Part::Value(at) => {
                        shown.push_str(&format!("{{{{ {} }}}}", self.source(at)));
                        span.get_or_insert(at);
                    }
                }
            }
            let span = span.unwrap_or_else(|| condition.expr.span());
            let template = format!("{{% if {when} %}}{}{{% endif %}}", shown.trim_end());
            // After a label, `N/A` reads well.
            self.tokens.push(Token::Value(self.value(span, self.source(span), &template)));
            self.tokens.push(Token::Break("\n".to_owned()));
        }
    }

    fn block(&mut self, span: Span, statement: &Stmt<'a>) {
        let source = self.source(span);
        let is_alone = self.begins_a_line(span) && self.ends_a_line(span);
        let value = self.value(span, source, &format!("{{% {source} %}}"));
        let edge = |last: bool| !is_alone && has_space_at_its_edge(std::slice::from_ref(statement), last);
        let lists = matches!(statement, Stmt::ForLoop(_)) && is_alone;
        self.tokens.push(Token::Value(Value {
            // An empty list reads well as `N/A` on its line.
            can_be_empty: !lists && can_be_empty(std::slice::from_ref(statement)),
            begins_with_space: edge(false),
            ends_with_space: edge(true),
            ..value
        }));
        // A tag at the end of a line removes the line break, but here a parameter remains.
        if self.after(span).strip_prefix("%}").is_some_and(|after| after.starts_with(['\n', '\r'])) {
            self.tokens.push(Token::Break("\n".to_owned()));
        }
    }

    fn value(&self, span: Span, source: &str, template: &str) -> Value {
        let before = self.body.get(..span.start_offset as usize).unwrap_or_default();
        Value {
            parameter: MetaParameter {
                line: before.matches('\n').count() + 1,
                column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
                source: source.to_owned(),
                leaves_a_gap: false,
            },
            template: template.to_owned(),
            can_be_empty: false,
            begins_with_space: false,
            ends_with_space: false,
        }
    }

    fn silent(&mut self, span: Span) {
        let source = self.source(span);
        self.tokens.push(Token::Silent(format!("{{% {source} %}}")));
    }

    fn is_on_lines_of_its_own(&self, span: Span) -> bool {
        let inner = self.source(span);
        let tag = inner.find("%}").and_then(|end| inner.get(end + "%}".len()..)).unwrap_or_default();
        self.begins_a_line(span) && self.ends_a_line(span) && tag.starts_with(['\n', '\r'])
    }

    /// Whether nothing stands before a block's first tag on its line.
    fn begins_a_line(&self, span: Span) -> bool {
        let before = self.body.get(..span.start_offset as usize).unwrap_or_default().trim_end();
        let before = before.strip_suffix("{%-").or_else(|| before.strip_suffix("{%")).unwrap_or(before);
        before.rsplit('\n').next().is_none_or(|line| line.trim().is_empty())
    }

    /// Whether nothing stands after a block's last tag on its line.
    fn ends_a_line(&self, span: Span) -> bool {
        let after = self.after(span).strip_prefix("%}");
        after.is_some_and(|after| after.is_empty() || after.starts_with(['\n', '\r']))
    }

    fn after(&self, span: Span) -> &'a str {
        let after = self.body.get(span.end_offset as usize..).unwrap_or_default().trim_start();
        after.strip_prefix('-').unwrap_or(after)
    }

    fn source(&self, span: Span) -> &'a str {
        self.body.get(span.start_offset as usize..span.end_offset as usize).unwrap_or_default().trim()
    }
}

/// A text's label with the spaces after it (`Map: `, `*Map:* `), and the rest.
fn label(text: &str) -> Option<(&str, &str)> {
    let ends = text.char_indices().filter(|(_, c)| *c == ':').map(|(at, _)| at + 1);
    let mut rests = ends.filter_map(|end| {
        let rest = text.get(end..)?.trim_start_matches(['*', '_', '~', '`']);
        (rest.is_empty() || rest.starts_with(char::is_whitespace)).then(|| rest.trim_start())
    });
    let rest = rests.next_back()?;
    text.split_at_checked(text.len() - rest.len())
}

/// Whether statements may have no output, by the way they are written. A plain `{{ … }}` counts as output.
fn can_be_empty(statements: &[Stmt<'_>]) -> bool {
    statements.iter().all(|statement| match statement {
        Stmt::EmitRaw(raw) => raw.raw.trim().is_empty(),
        Stmt::EmitExpr(emit) => expression_can_be_empty(&emit.expr),
        Stmt::IfCond(it) => can_be_empty(&it.true_body) || can_be_empty(&it.false_body),
        Stmt::ForLoop(it) => can_be_empty(&it.else_body),
        Stmt::WithBlock(it) => can_be_empty(&it.body),
        Stmt::AutoEscape(it) => can_be_empty(&it.body),
        Stmt::FilterBlock(it) => can_be_empty(&it.body),
        Stmt::Block(it) => can_be_empty(&it.body),
        Stmt::Set(_) | Stmt::SetBlock(_) | Stmt::Macro(_) | Stmt::Do(_) => true,
        _ => false,
    })
}

/// Whether an expression names the empty string as a value: `x | default("")`, `x or ""`, `x if y`.
fn expression_can_be_empty(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::Const(constant) => constant.value.as_str().is_some_and(|text| text.trim().is_empty()),
        Expr::IfExpr(it) => {
            expression_can_be_empty(&it.true_expr)
                || it.false_expr.as_ref().is_none_or(expression_can_be_empty)
        }
        Expr::BinOp(it) => matches!(it.op, BinOpKind::ScOr) && expression_can_be_empty(&it.right),
        Expr::Filter(it) if matches!(it.name, "default" | "d") => match it.args.first() {
            None => true,
            Some(minijinja::machinery::ast::CallArg::Pos(other)) => expression_can_be_empty(other),
            Some(_) => false,
        },
        Expr::Filter(it) => it.expr.as_ref().is_some_and(expression_can_be_empty),
        _ => false,
    }
}

/// Whether the output of statements may begin, or end, with a space.
fn has_space_at_its_edge(statements: &[Stmt<'_>], last: bool) -> bool {
    let statement = if last { statements.last() } else { statements.first() };
    match statement {
        Some(Stmt::EmitRaw(raw)) if last => raw.raw.ends_with(char::is_whitespace),
        Some(Stmt::EmitRaw(raw)) => raw.raw.starts_with(char::is_whitespace),
        Some(Stmt::IfCond(it)) => {
            has_space_at_its_edge(&it.true_body, last) || has_space_at_its_edge(&it.false_body, last)
        }
        Some(Stmt::ForLoop(it)) => {
            has_space_at_its_edge(&it.body, last) || has_space_at_its_edge(&it.else_body, last)
        }
        Some(Stmt::WithBlock(it)) => has_space_at_its_edge(&it.body, last),
        _ => false,
    }
}
