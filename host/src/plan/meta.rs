//! A template's body as a Meta template has it: fixed words with numbered places for values.
//!
//! Each `{{ … }}` becomes the next number, and its value the parameter with that number. Meta knows no conditions: what
//! stands in an `if` is always there, with `N/A` where the value is missing; of its branches the first. A loop is one
//! place, with the list's items behind each other.

use super::appearance::{in_tag, next_tag};

/// The longest body of a Meta template, in characters (Meta, "Template components").
const BODY_LIMIT: usize = 1_024;

/// The length of what ends a tag.
const CLOSE: usize = 2;

/// A body in Meta's form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaBody {
    /// The text, with `{{1}}`, `{{2}}` and so on.
    pub text: String,
    /// What goes into each place: the name of a variable, or `recipient`.
    pub slots: Vec<String>,
    /// Why Meta would refuse it, in words, with lines of the body from 1.
    pub refused: Vec<(usize, String)>,
}

/// What a block does with the text in it.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    /// It stays.
    Kept,
    /// A branch that is not the first.
    LeftOut,
}

/// A body in Meta's form. `names` are the variables that it prints.
pub fn meta_body(body: &str, names: &[String]) -> MetaBody {
    let mut meta = MetaBody::default();
    let mut blocks: Vec<Block> = Vec::new();
    let mut from = 0;
    while let Some((start, close)) = next_tag(body, from) {
        let end = (close + CLOSE).min(body.len());
        let kept = !blocks.contains(&Block::LeftOut);
        let tag = &body[start..end];
        let line = body[..start].lines().count().max(1);
        let is_block = tag.starts_with("{%");
        if kept {
            meta.push_text(&body[from..start], is_block);
        }
        from = end;
        if is_block {
            // As in the body itself: a tag on a line of its own leaves no line behind.
            from += usize::from(body[end..].starts_with('\n'));
            let words = tag.trim_start_matches(['{', '%', '-', '+']).trim_start();
            let keyword = words.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            match keyword {
                "if" => blocks.push(Block::Kept),
                "elif" | "else" => {
                    blocks.pop();
                    blocks.push(Block::LeftOut);
                }
                "for" => {
                    if kept {
                        meta.place(slot(tag, names), line);
                        // The items had lines of their own.
                        meta.text.push('\n');
                    }
                    blocks.push(Block::LeftOut);
                }
                "endif" | "endfor" => drop(blocks.pop()),
                _ => {}
            }
        } else if kept {
            meta.place(slot(tag, names), line);
        }
    }
    meta.push_text(&body[from..], false);
    meta.text = super::render::tidy(&meta.text);
    meta.check();
    meta
}

/// The first variable that a tag speaks of.
fn slot(tag: &str, names: &[String]) -> Option<String> {
    let names = names.iter().map(String::as_str).chain(["recipient"]);
    let places = names.filter_map(|name| Some((in_tag(tag, name)?, name)));
    places.min().map(|(_, name)| name.to_owned())
}

impl MetaBody {
    fn push_text(&mut self, text: &str, before_block: bool) {
        let text = if before_block {
            let kept = text.trim_end_matches([' ', '\t']);
            if kept.is_empty() || kept.ends_with('\n') { kept } else { text }
        } else {
            text
        };
        self.text.push_str(&without_comments(text));
    }

    fn place(&mut self, slot: Option<String>, line: usize) {
        let Some(slot) = slot else {
            self.refused
                .push((line, "this prints no variable, so there is nothing to send to Meta".to_owned()));
            return;
        };
        if self.text.trim_end().ends_with("}}") {
            self.refused.push((line, format!("{slot} follows another variable with no words between")));
        }
        self.slots.push(slot);
        self.text.push_str(&format!("{{{{{}}}}}", self.slots.len()));
    }

    fn check(&mut self) {
        let lines = self.text.lines().count().max(1);
        let length = self.text.chars().count();
        if length > BODY_LIMIT {
            self.refused
                .push((1, format!("it has {length} characters; a Meta template has {BODY_LIMIT} at most")));
        }
        if self.text.starts_with("{{") {
            self.refused.push((1, "it begins with a variable; put words in front".to_owned()));
        }
        if self.text.ends_with("}}") {
            self.refused.push((lines, "it ends with a variable; put words behind it".to_owned()));
        }
    }
}

fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{#") {
        kept.push_str(before);
        rest = after.split_once("#}").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(body: &str) -> MetaBody {
        meta_body(body, &["name", "cart", "phone", "name_of"].map(str::to_owned))
    }

    #[test]
    fn each_place_has_a_number_of_its_own() {
        let meta = meta("*Hi {{ name }}*\n{# note #}{{ name | truncate(9) }}, {{ phone }} it is.\n");
        assert_eq!(meta.text, "*Hi {{1}}*\n{{2}}, {{3}} it is.");
        assert_eq!(meta.slots, ["name", "name", "phone"]);
        assert_eq!(meta.refused, []);
    }

    #[test]
    fn a_condition_is_always_true_and_a_loop_is_one_place() {
        let meta = meta(
            "To {{ recipient.name }}:\n  {% if phone %}\nCall {{ phone }}\n{% else %}\nNo {{ name }}\n{% endif %}\n\
             {% for item in cart %}\n- {{ item }} {{ name }}\n{% endfor %}\nThat is all.",
        );
        assert_eq!(meta.text, "To {{1}}:\nCall {{2}}\n{{3}}\nThat is all.");
        assert_eq!(meta.slots, ["recipient", "phone", "cart"]);
    }

    #[test]
    fn what_meta_would_refuse_is_told() {
        let told = |body| meta(body).refused.into_iter().map(|(_, why)| why).collect::<Vec<_>>().join("; ");
        assert!(told("{{ name }} is here").contains("begins with a variable"));
        assert!(told("Here is {{ name }}").contains("ends with a variable"));
        assert!(told("Here {{ name }} {{ phone }} is").contains("no words between"));
        assert!(told("Here {{ 1 + 1 }} is").contains("prints no variable"));
        assert!(told(&"a".repeat(1_025)).contains("1025 characters"));
    }
}
