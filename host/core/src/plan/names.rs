//! Unknown filters, tests, functions and methods of a template: minijinja itself looks them up only when a message is
//! rendered.

use minijinja::{Environment, State, Value, machinery::Instruction, value::ValueKind};

use super::{
    program::{Failure, Program},
    weigh::WEIGHED,
    words::{ABOUT_TIMES, NOW},
};
use crate::{
    bounds::cut,
    domain::closest,
    words::{Word, duration, function},
};

/// Functions that minijinja provides only within a block, a loop or a call.
const SPECIAL: [&str; 3] = ["super", "loop", "caller"];

/// Filters whose answers are times.
const TIMES: [&str; 3] = ["time", NOW, "next_in_hours"];
/// Maximum number of instructions before another that are looked at for its arguments.
const LOOKED_BACK: usize = 8;

/// Filters that are suggested for a misspelt one.
const FILTERS: [&str; 32] = [
    "format",
    "lines",
    "money",
    "number",
    "plural",
    "time",
    "upper",
    "lower",
    "title",
    "capitalize",
    "trim",
    "truncate",
    "replace",
    "default",
    "join",
    "split",
    "length",
    "first",
    "last",
    "round",
    "int",
    "float",
    "abs",
    "sum",
    "min",
    "max",
    "sort",
    "reverse",
    "unique",
    "map",
    "groupby",
    "items",
];
/// Tests that are suggested for a misspelt one.
const TESTS: [&str; 9] =
    ["defined", "undefined", "none", "number", "string", "mapping", "sequence", "startingwith", "endingwith"];

/// Methods and filters of other languages, and what to use in a template.
const HABITS: &[(&[&str], &str)] = &[
    (&["toUpperCase", "upcase"], "the filter `upper`"),
    (&["toLowerCase", "downcase"], "the filter `lower`"),
    (&["strip"], "the filter `trim`"),
    (&["len", "size", "count"], "the filter `length`"),
    (&["startswith", "startsWith"], "the test `is startingwith`"),
    (&["endswith", "endsWith"], "the test `is endingwith`"),
    (&["includes", "contains"], "`in`"),
    (&["get"], "`map.key`, and the filter `default`"),
    (&["date", "strftime", "datetimeformat"], "`format(time, \"%d %b %Y\", zone)`"),
    (
        &["intcomma", "floatformat", "currency", "format_number", "number_format"],
        "`money(value, \"USD\")`, or the filter `round`",
    ),
    (&["pluralize"], "`plural(count, \"line\", \"lines\")`"),
];

/// Reports the unknown names of a program.
pub(super) fn check(environment: &Environment<'static>, program: &Program) -> Vec<Failure> {
    let mut state = environment.empty_state();
    let stored: Vec<&str> = program
        .instructions()
        .filter_map(|(instruction, _)| match instruction {
            Instruction::StoreLocal(name) => Some(*name),
            _ => None,
        })
        .collect();
    let mut failures = Vec::new();
    let instructions: Vec<_> = program.instructions().collect();
    for (index, &(instruction, span)) in instructions.iter().enumerate() {
        let last = index.saturating_sub(LOOKED_BACK);
        let before: Vec<_> = instructions[last..index].iter().map(|(instruction, _)| *instruction).collect();
        let wrong = wrong_word(instruction, before.iter().rev().copied());
        if let Some(why) = wrong.or_else(|| wrong_duration(instruction, &before)) {
            failures.push(Failure::at(span, &why));
        }
        let (what, name, help) = match instruction {
            Instruction::ApplyFilter(name, ..) if !exists(&mut state, "filter", name) => {
                ("filter", name, habit(name).or_else(|| meant(name, &FILTERS)))
            }
            Instruction::PerformTest(name, ..) if !exists(&mut state, "test", name) => {
                ("test", name, meant(name, &TESTS))
            }
            Instruction::CallFunction(name, _)
                if !SPECIAL.contains(name)
                    && !stored.contains(name)
                    && !environment.globals().any(|(global, _)| global == *name) =>
            {
                ("function", name, habit(name).or_else(|| as_filter(&mut state, name)))
            }
            // `loop.cycle`, and `loop.changed`, which is refused on its own.
            Instruction::CallMethod("cycle" | "changed", _) => continue,
            Instruction::CallMethod(name, _) => {
                let no_methods = || Some("values have no methods in templates: use filters".to_owned());
                ("method", name, habit(name).or_else(|| as_filter(&mut state, name)).or_else(no_methods))
            }
            _ => continue,
        };
        let message = format!("unknown {what} `{}`", cut(name, 100));
        failures.push(Failure { help, ..Failure::at(span, &message) });
    }
    failures
}

/// What is wrong with the arguments of a word, as far as they are written out.
fn wrong_word<'a>(
    instruction: &Instruction<'_>,
    before: impl Iterator<Item = &'a Instruction<'a>>,
) -> Option<String> {
    let Instruction::ApplyFilter(name, Some(count), _) = instruction else { return None };
    let (word, count) = (function(name)?, usize::from(*count));
    if !word.arity().contains(&count) {
        return Some(format!("`{name}` takes other arguments: {}", word.usage));
    }
    let written = before.take(count).map_while(|instruction| match instruction {
        Instruction::LoadConst(value) => Some(written(value)),
        _ => None,
    });
    let mut words: Vec<Option<Word>> = written.collect();
    words.resize(count, None);
    words.reverse();
    word.doubt(&words).map(|(_, why)| why)
}

/// A value that is written out.
fn written(value: &Value) -> Option<Word> {
    match value.kind() {
        ValueKind::None => Some(Word::Nothing),
        ValueKind::Bool => Some(Word::Bool(value.is_true())),
        ValueKind::String => value.as_str().map(|text| Word::Text(text.to_owned())),
        ValueKind::Number => match value.as_i64().filter(|_| value.is_integer()) {
            Some(int) => Some(Word::Int(int)),
            None => f64::try_from(value.clone()).ok().map(Word::Float),
        },
        _ => None,
    }
}

/// What is wrong with a text that is added to a time, or subtracted from it.
fn wrong_duration(instruction: &Instruction<'_>, before: &[&Instruction<'_>]) -> Option<String> {
    let Instruction::ApplyFilter(ABOUT_TIMES, ..) = instruction else { return None };
    let [.., time, Instruction::ApplyFilter(WEIGHED, ..), Instruction::LoadConst(by)] = before else {
        return None;
    };
    let is_time = matches!(time, Instruction::ApplyFilter(name, ..) if TIMES.contains(name));
    by.as_str().filter(|_| is_time).and_then(|by| duration(by.trim()).err())
}

/// Whether a filter or a test exists: minijinja has a test for each.
fn exists(state: &mut State<'_, '_>, what: &str, name: &str) -> bool {
    let name: String = name.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    state.perform_test(what, &[name.into()]).unwrap_or(false)
}

fn as_filter(state: &mut State<'_, '_>, name: &str) -> Option<String> {
    exists(state, "filter", name).then(|| format!("use the filter: `{{{{ value | {name} }}}}`"))
}

fn habit(name: &str) -> Option<String> {
    let (_, advice) = HABITS.iter().find(|(names, _)| names.contains(&name))?;
    Some(format!("use {advice}"))
}

fn meant(name: &str, known: &[&str]) -> Option<String> {
    closest(name, known.iter().copied()).map(|known| format!("did you mean `{known}`?"))
}

/// What to use in place of operators of other languages, in a line that does not compile.
pub(super) fn syntax(line: &str) -> Option<String> {
    let help = if line.contains("&&") {
        "use `and`"
    } else if line.contains("||") {
        "use `or`"
    } else if line.contains("else if") {
        "use `elif`"
    } else if line.contains("{{#") || line.contains("{{/") {
        "write `{% if name %}…{% endif %}` or `{% for item in items %}…{% endfor %}`"
    } else if line.contains('?') && line.contains("{{") {
        "write `{{ one if condition else other }}`"
    } else if line.contains("===") {
        "use `==`"
    } else if line.contains("{% if !") || line.contains(" !") && !line.contains("!=") {
        "use `not`"
    } else {
        return None;
    };
    Some(help.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::Templates, FILTERS, TESTS, exists};

    #[test]
    fn what_is_suggested_exists() {
        let templates = Templates::default();
        let mut state = templates.environment.empty_state();
        let of_kind = |kind: &'static str, names: &'static [&str]| names.iter().map(move |name| (kind, name));
        let named = of_kind("filter", &FILTERS).chain(of_kind("test", &TESTS));
        let missing: Vec<_> = named.filter(|(kind, name)| !exists(&mut state, kind, name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
