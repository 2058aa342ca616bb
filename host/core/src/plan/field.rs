//! The texts of the front matter that may have values: the header and the buttons.
//!
//! A Meta template takes one value in the text of a header, and one at the end of a link. So everything from the first tag
//! to the last one is that value: `Order {{ number }} of {{ name }} is ready` becomes `Order {{1}} is ready`.

use minijinja::{Environment, Value as Rendered};

use super::{
    names,
    parameter::one_line,
    program::{Failure, Program},
    template::Wrong,
};

const STARTS: [&str; 3] = ["{{", "{%", "{#"];
const ENDS: [&str; 3] = ["}}", "%}", "#}"];

/// A text with at most one value.
#[derive(Debug)]
pub(super) struct Field {
    /// The text before the value; the whole text if it has none.
    pub before: String,
    /// The text after the value.
    pub after: String,
    value: Option<Program>,
}

/// A rendered field.
#[derive(Debug)]
pub(super) struct Filled {
    /// The whole text.
    pub text: String,
    /// Its value; `None` for a fixed text.
    pub value: Option<String>,
}

/// Reads the fields of one template.
pub(super) struct Reader<'a> {
    pub environment: &'a Environment<'static>,
    /// Name of the template.
    pub name: &'a str,
    /// Where they stand: the line of their key.
    pub line: usize,
    /// What is wrong with them.
    pub wrong: &'a mut Vec<Wrong>,
    /// The variables that they use.
    pub variables: &'a mut Vec<String>,
}

impl Reader<'_> {
    /// A text with its value in the middle.
    pub fn text(&mut self, text: &str) -> Option<Field> {
        let (before, rest) = split(text);
        let end = ENDS.iter().filter_map(|end| rest.rfind(end)).max().map_or(rest.len(), |at| at + 2);
        let (value, after) = rest.split_at(end);
        self.field(before, value, after)
    }

    /// A link, whose value is its end.
    pub fn link(&mut self, text: &str) -> Option<Field> {
        let (before, value) = split(text);
        self.field(before, value, "")
    }

    /// A text that is a value as a whole.
    pub fn whole(&mut self, text: &str) -> Option<Field> {
        match split(text).1 {
            "" => self.field(text, "", ""),
            _ => self.field("", text, ""),
        }
    }

    fn field(&mut self, before: &str, value: &str, after: &str) -> Option<Field> {
        let (before, after) = (before.to_owned(), after.to_owned());
        if value.is_empty() {
            return Some(Field { before, after, value: None });
        }
        let value = Some(self.program(value, value)?);
        Some(Field { before, after, value })
    }

    /// Compiles a template that is written as `written`.
    pub fn program(&mut self, template: &str, written: &str) -> Option<Program> {
        let program = Program::compile(self.name, template).map_err(|failure| vec![failure]);
        let program = program.and_then(|program| match names::check(self.environment, &program) {
            unknown if unknown.is_empty() => Ok(program),
            unknown => Err(unknown),
        });
        match program {
            Ok(program) => {
                self.variables.extend(program.variables(self.environment));
                Some(program)
            }
            Err(failures) => {
                self.wrong.extend(failures.into_iter().map(|failure| Wrong {
                    help: failure.help.clone(),
                    ..Wrong::at(self.line, 1, format!("{failure}, in `{written}`"))
                }));
                None
            }
        }
    }
}

impl Field {
    /// Whether it has a value.
    pub fn has_value(&self) -> bool {
        self.value.is_some()
    }

    /// The text at Meta, with `{{1}}` in place of the value.
    pub fn at_meta(&self) -> String {
        let value = if self.has_value() { "{{1}}" } else { "" };
        format!("{}{value}{}", self.before, self.after)
    }

    /// The text with its value, on one line. `clean` makes of the value what may stand there.
    pub fn fill(
        &self,
        environment: &Environment<'static>,
        context: &Rendered,
        clean: impl Fn(&str) -> String,
    ) -> Result<Filled, Failure> {
        let Some(program) = &self.value else {
            return Ok(Filled { text: self.before.clone(), value: None });
        };
        let value = program.render(environment, context)?.replace('\0', "");
        let value = clean(one_line(&value, " ").as_ref());
        Ok(Filled { text: format!("{}{value}{}", self.before, self.after), value: Some(value) })
    }

    /// The source of the value, as written.
    pub fn source(&self) -> &str {
        self.value.as_ref().map_or("", Program::body)
    }
}

/// The text before the first tag, and the rest.
pub(super) fn split(text: &str) -> (&str, &str) {
    let start = STARTS.iter().filter_map(|start| text.find(start)).min();
    text.split_at(start.unwrap_or(text.len()))
}

/// A part of a link as it may stand there: all that is not allowed in a URL is percent-encoded.
pub(super) fn in_a_link(value: &str) -> String {
    let mut link = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                link.push_str(&format!("%{byte:02X}"));
            }
            b'!'..=b'~' => link.push(char::from(byte)),
            _ => link.push_str(&format!("%{byte:02X}")),
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_reaches_from_the_first_tag_to_the_last() {
        let mut variables = Vec::new();
        let mut reader = Reader {
            environment: &Environment::new(),
            name: "t",
            line: 1,
            wrong: &mut Vec::new(),
            variables: &mut variables,
        };
        let at_meta = |field: Option<Field>| field.map(|field| field.at_meta()).unwrap_or_default();
        assert_eq!(at_meta(reader.text("Order {{ n }} of {{ name }} is ready")), "Order {{1}} is ready");
        assert_eq!(at_meta(reader.link("https://x.example/{{ a }}/b")), "https://x.example/{{1}}");
        assert_eq!(at_meta(reader.text("Fixed")), "Fixed");
        variables.sort_unstable();
        assert_eq!(variables, ["a", "n", "name"]);
    }

    #[test]
    fn a_link_has_no_spaces_and_only_ascii() {
        assert_eq!(in_a_link("a b/é?x=1&y=%20"), "a%20b/%C3%A9?x=1&y=%20");
    }
}
