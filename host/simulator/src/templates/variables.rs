//! Variables in a template's text: `{{1}}` or `{{first_name}}`.

use std::ops::Range;

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// What stands between the braces.
    pub name: String,
    /// Where, in bytes, braces included.
    pub place: Range<usize>,
}

/// All variables of a text, in their order.
///
/// # Errors
/// Says what is wrong with the braces or a name.
pub fn variables(text: &str) -> Result<Vec<Variable>, String> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| from + at) {
        if text[from..open].contains("}}") {
            return Err("}} without {{".into());
        }
        let close = text[open..].find("}}").map(|at| open + at).ok_or("{{ without }}")?;
        let name = &text[open + 2..close];
        if !is_name(name) {
            return Err(format!(
                "{{{{{name}}}}} is no variable: a number, or lower-case letters, digits and underscores"
            ));
        }
        found.push(Variable { name: name.to_owned(), place: open..close + 2 });
        from = close + 2;
    }
    if text[from..].contains("}}") {
        return Err("}} without {{".into());
    }
    Ok(found)
}

fn is_name(name: &str) -> bool {
    let named = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.starts_with(|c: char| c.is_ascii_lowercase());
    let numbered = !name.is_empty() && name.len() <= 3 && name.bytes().all(|b| b.is_ascii_digit());
    named || numbered
}

/// Whether the names are as the template's `parameter_format` asks: 1, 2, 3, …, or words, each once.
///
/// # Errors
/// Says which name is wrong.
pub fn check_names(variables: &[Variable], named: bool) -> Result<(), String> {
    for (index, variable) in variables.iter().enumerate() {
        let number = variable.name.parse::<usize>().ok();
        if named {
            if number.is_some() {
                return Err(format!("{{{{{}}}}} is a number, parameter_format is NAMED", variable.name));
            }
            if variables[..index].iter().any(|earlier| earlier.name == variable.name) {
                return Err(format!("{{{{{}}}}} stands there twice", variable.name));
            }
        } else if number != Some(index + 1) {
            return Err(format!("{{{{{}}}}} should be {{{{{}}}}}", variable.name, index + 1));
        }
    }
    Ok(())
}

/// `text` with each variable replaced.
pub fn fill(text: &str, variables: &[Variable], values: &[&str]) -> String {
    let (mut filled, mut from) = (String::with_capacity(text.len() * 2), 0);
    for (variable, value) in variables.iter().zip(values) {
        filled.push_str(&text[from..variable.place.start]);
        filled.push_str(value);
        from = variable.place.end;
    }
    filled.push_str(&text[from..]);
    filled
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn finds_and_fills_variables() {
        let text = "Hi {{1}}, your order {{2}} is on its way.";
        let found = variables(text).unwrap();
        assert_eq!(check_names(&found, false), Ok(()));
        assert_eq!(fill(text, &found, &["Ann", "№5"]), "Hi Ann, your order №5 is on its way.");
    }

    #[test]
    fn refuses_what_meta_refuses() {
        for wrong in ["{{1}", "1}}", "{{#1}}", "{{First}}", "{{}}", "a }} {{1}}", "{{ 1 }}"] {
            assert!(variables(wrong).is_err(), "{wrong}");
        }
        let names = |text: &str, named: bool| check_names(&variables(text).unwrap(), named);
        assert!(names("{{2}} {{1}}", false).is_err());
        assert!(names("{{1}} {{3}}", false).is_err());
        assert!(names("{{a}} {{a}}", true).is_err());
        assert!(names("{{1}}", true).is_err());
        assert!(names("{{a}}", false).is_err());
        assert!(names("{{a}} {{b}}", true).is_ok());
    }
}
