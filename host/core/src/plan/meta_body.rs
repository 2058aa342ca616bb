//! A template's body in Meta's form: text with numbered parameters.
//!
//! Meta has no conditions, loops or filters, so a body is split by one rule. The definition sent to Meta and the
//! parameters of each message both follow it:
//!
//! - Each `{{ … }}` becomes a parameter, with its filters; a variable that is used twice becomes two.
//! - `{% if x %}…{% endif %}` in which each `{{ … }}` uses `x` keeps its text; the parameters are empty if `x` is
//!   missing.
//! - Any other block with output becomes one parameter.

use minijinja::{
    Environment,
    machinery::{
        Span,
        ast::{Expr, IfCond, Stmt},
        parse,
    },
    syntax::SyntaxConfig,
};

use super::render::tidy;

/// Separates the values that `values` renders to; never part of a value (see `Templates::default`).
pub(super) const SEPARATOR: char = '\u{1f}';

/// A body in Meta's form.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MetaBody {
    /// Text with the parameters `{{1}}`, `{{2}}`, ….
    pub text: String,
    /// Parameters, in order.
    pub parameters: Vec<MetaParameter>,
    /// A template that renders to the values of the parameters, each followed by a separator.
    pub values: String,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MetaParameter {
    /// Line in the body, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Source of the parameter, for example `name | truncate(20)`.
    pub source: String,
}

impl MetaBody {
    /// Splits a body that has been compiled with this syntax.
    ///
    /// # Errors
    /// Returns the error of the parser.
    pub(super) fn new(body: &str, syntax: SyntaxConfig) -> Result<MetaBody, minijinja::Error> {
        let tree = parse(body, "body", syntax)?;
        let mut reader =
            Reader { body, meta: MetaBody::default(), expressions: Environment::new(), text: String::new() };
        if let Stmt::Template(template) = &tree {
            reader.statements(&template.children, &[]);
        }
        Ok(MetaBody { text: tidy(&reader.text), ..reader.meta })
    }

    /// The texts around the parameters: one more than there are parameters.
    pub(super) fn words(&self) -> Vec<&str> {
        let mut words = Vec::with_capacity(self.parameters.len() + 1);
        let mut rest = self.text.as_str();
        for number in 1..=self.parameters.len() {
            if let Some((before, after)) = rest.split_once(&placeholder(number)) {
                words.push(before);
                rest = after;
            }
        }
        words.push(rest);
        words
    }
}

/// `{{1}}`.
pub(super) fn placeholder(number: usize) -> String {
    format!("{{{{{number}}}}}")
}

struct Reader<'a> {
    body: &'a str,
    meta: MetaBody,
    expressions: Environment<'a>,
    text: String,
}

impl<'a> Reader<'a> {
    /// `conditions` are the variables on which the output of these statements depends.
    fn statements(&mut self, statements: &[Stmt<'a>], conditions: &[&'a str]) {
        for statement in statements {
            match statement {
                Stmt::EmitRaw(raw) => self.text.push_str(raw.raw),
                Stmt::EmitExpr(emit) => {
                    let source = self.source(emit.span());
                    self.parameter(emit.span(), &format!("{{{{ {source} }}}}"), conditions);
                }
                Stmt::IfCond(condition) => match self.speaks_of_its_condition(condition) {
                    Some(variable) => {
                        let conditions: Vec<_> = conditions.iter().copied().chain([variable]).collect();
                        self.statements(&condition.true_body, &conditions);
                    }
                    None => self.block(condition.span(), conditions),
                },
                Stmt::ForLoop(it) => self.block(it.span(), conditions),
                Stmt::WithBlock(it) => self.block(it.span(), conditions),
                Stmt::AutoEscape(it) => self.block(it.span(), conditions),
                Stmt::FilterBlock(it) => self.block(it.span(), conditions),
                Stmt::Block(it) => self.block(it.span(), conditions),
                Stmt::Include(it) => self.block(it.span(), conditions),
                Stmt::CallBlock(it) => self.block(it.span(), conditions),
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

    /// The variable of an `{% if x %}` whose text can always be shown, with empty parameters if `x` is missing.
    fn speaks_of_its_condition(&self, condition: &IfCond<'a>) -> Option<&'a str> {
        let Expr::Var(variable) = &condition.expr else { return None };
        let mut writes = false;
        let speaks = condition.true_body.iter().all(|statement| match statement {
            Stmt::EmitRaw(_) => true,
            Stmt::EmitExpr(emit) => {
                writes = true;
                let expression = self.expressions.compile_expression(self.source(emit.span()));
                expression.is_ok_and(|e| e.undeclared_variables(false).contains(variable.id))
            }
            _ => false,
        });
        (speaks && writes && condition.false_body.is_empty()).then_some(variable.id)
    }

    fn block(&mut self, span: Span, conditions: &[&str]) {
        let source = self.source(span);
        self.parameter(span, &format!("{{% {source} %}}"), conditions);
        // A tag at the end of a line removes the line break, but here a parameter remains.
        let after = self.body.get(span.end_offset as usize..).unwrap_or_default().trim_start();
        if after.strip_prefix("%}").is_some_and(|after| after.starts_with(['\n', '\r'])) {
            self.text.push('\n');
        }
    }

    fn parameter(&mut self, span: Span, source: &str, conditions: &[&str]) {
        let before = self.body.get(..span.start_offset as usize).unwrap_or_default();
        self.meta.parameters.push(MetaParameter {
            line: before.matches('\n').count() + 1,
            column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
            source: self.source(span).to_owned(),
        });
        self.text.push_str(&placeholder(self.meta.parameters.len()));
        let values = &mut self.meta.values;
        for condition in conditions {
            values.push_str(&format!("{{% if {condition} %}}"));
        }
        values.push_str(source);
        values.push_str(&"{% endif %}".repeat(conditions.len()));
        values.push(SEPARATOR);
    }

    fn silent(&mut self, span: Span) {
        let source = self.source(span);
        self.meta.values.push_str(&format!("{{% {source} %}}"));
    }

    fn source(&self, span: Span) -> &'a str {
        self.body.get(span.start_offset as usize..span.end_offset as usize).unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{super::template::syntax, MetaBody};

    fn text(body: &str) -> String {
        MetaBody::new(body, syntax()).unwrap().text
    }

    #[test]
    fn variables_are_numbered_in_order_and_repeated_ones_again() {
        let meta = MetaBody::new("Hi {{ name }}!\nYour {{ item | upper }}, {{ name }}.", syntax()).unwrap();
        assert_eq!(meta.text, "Hi {{1}}!\nYour {{2}}, {{3}}.");
        assert_eq!(meta.words(), ["Hi ", "!\nYour ", ", ", "."]);
        let places: Vec<_> = meta.parameters.iter().map(|p| (p.line, p.column, p.source.as_str())).collect();
        assert_eq!(places, [(1, 7, "name"), (2, 9, "item | upper"), (2, 29, "name")]);
    }

    #[test]
    fn a_condition_whose_block_speaks_of_it_keeps_its_words() {
        assert_eq!(
            text("A\n{% if pin %}\nMap: {{ pin }}\n{% endif %}\nB {% if x %}({{ x | upper }}) {% endif %}C"),
            "A\nMap: {{1}}\nB ({{2}}) C"
        );
    }

    #[test]
    fn any_other_block_is_one_parameter() {
        assert_eq!(text("A\n{% for i in items %}\n- {{ i }}\n{% endfor %}\nB"), "A\n{{1}}\nB");
        assert_eq!(text("A {% if x %}yes{% else %}no{% endif %} B"), "A {{1}} B");
        assert_eq!(text("A {% if urgent %}Call {{ phone }} now{% endif %} B"), "A {{1}} B");
        assert_eq!(text("A {% if urgent %}now{% endif %} B"), "A {{1}} B");
        assert_eq!(text("A {% if n > 1 %}{{ n }} times{% endif %} B"), "A {{1}} B");
        assert_eq!(text("{% set n = 5 %}\nA {{ n }} B"), "A {{1}} B");
    }
}
