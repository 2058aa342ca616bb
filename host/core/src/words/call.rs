//! The functions by their names, with what each of their arguments must be.

use std::ops::RangeInclusive;

use super::{
    Given, Hours, Word, duration,
    language::Language,
    lists, money,
    time::{self, check_pattern},
};

/// What an argument must be, where that can be seen in a text that is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    Any,
    Time,
    Duration,
    Pattern,
    Zone,
    Hours,
    Currency,
}

type Work = fn(&[Word], &Given<'_>) -> Result<Word, String>;

/// A function that rules and templates have.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is called, for messages.
    pub usage: &'static str,
    arguments: &'static [Argument],
    optional: usize,
    work: Work,
}

use Argument::{Any, Currency, Duration, Hours as OfHours, Pattern, Time, Zone};

/// All functions, but `now`, which asks for the time.
pub const FUNCTIONS: [Function; 11] = [
    Function {
        name: "time",
        usage: "time(value), time(value, zone)",
        arguments: &[Any, Zone],
        optional: 1,
        work: |words, _| time::time(&words[0], words.get(1)),
    },
    Function {
        name: "duration",
        usage: "duration(\"24h\")",
        arguments: &[Duration],
        optional: 0,
        work: |words, _| match &words[0] {
            Word::Duration(of) => Ok(Word::Duration(*of)),
            Word::Text(text) => duration(text.trim()).map(Word::Duration),
            other => Err(format!("expected a duration, for example \"24h\", got {}", other.described())),
        },
    },
    Function {
        name: "format",
        usage: "format(time, \"%a %-d %b, %H:%M\", zone)",
        arguments: &[Time, Pattern, Zone, Any],
        optional: 1,
        work: |words, given| time::format(&words[0], &words[1], &words[2], &language(words.get(3), given)?),
    },
    Function {
        name: "in_hours",
        usage: "in_hours(time, \"MON-FRI 08:00-17:00\", zone)",
        arguments: &[Time, OfHours, Zone],
        optional: 0,
        work: |words, _| {
            let (time, zone) = (time::given(&words[0])?, time::zone(&words[2])?);
            Ok(Word::Bool(hours(&words[1])?.contain(time, &zone)))
        },
    },
    Function {
        name: "next_in_hours",
        usage: "next_in_hours(time, \"MON-FRI 08:00-17:00\", zone)",
        arguments: &[Time, OfHours, Zone],
        optional: 0,
        work: |words, _| {
            let (time, zone) = (time::given(&words[0])?, time::zone(&words[2])?);
            let next = hours(&words[1])?.next(time, &zone);
            next.map(Word::Time).ok_or_else(|| "the time is out of range".to_owned())
        },
    },
    Function {
        name: "number",
        usage: "number(value)",
        arguments: &[Any],
        optional: 0,
        work: |words, _| money::number(&words[0]),
    },
    Function {
        name: "money",
        usage: "money(value), money(value, \"USD\")",
        arguments: &[Any, Currency, Any],
        optional: 2,
        work: |words, given| money::money(&words[0], words.get(1), &language(words.get(2), given)?),
    },
    Function {
        name: "plural",
        usage: "plural(count, \"line\", \"lines\")",
        arguments: &[Any, Any, Any, Any],
        optional: 1,
        work: |words, given| lists::plural(&words[0], &words[1], &words[2], &language(words.get(3), given)?),
    },
    Function {
        name: "join",
        usage: "join(list, \", \")",
        arguments: &[Any, Any],
        optional: 0,
        work: |words, given| lists::join(&words[0], &words[1], given),
    },
    Function {
        name: "lines",
        usage: "lines(list), lines(list, \"- \")",
        arguments: &[Any, Any],
        optional: 1,
        work: |words, given| lists::lines(&words[0], words.get(1), given),
    },
    Function {
        name: "truncate",
        usage: "truncate(text, 100)",
        arguments: &[Any, Any],
        optional: 0,
        work: |words, given| lists::truncate(&words[0], &words[1], given),
    },
];

/// The function with this name.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

impl Function {
    /// How many arguments it takes.
    pub fn arity(&self) -> RangeInclusive<usize> {
        self.arguments.len() - self.optional..=self.arguments.len()
    }

    /// Calls it.
    ///
    /// # Errors
    /// What is wrong with its arguments.
    pub fn call(&self, words: &[Word], given: &Given<'_>) -> Result<Word, String> {
        if !self.arity().contains(&words.len()) {
            return Err(format!("`{}` takes other arguments: {}", self.name, self.usage));
        }
        (self.work)(words, given)
    }

    /// Checks arguments that are strings written out; returns which one is wrong, and why.
    pub fn doubt<'a>(&self, strings: impl IntoIterator<Item = Option<&'a str>>) -> Option<(usize, String)> {
        let checked = self.arguments.iter().zip(strings).map(|(argument, string)| match (argument, string) {
            (_, None) | (Any, _) => Ok(()),
            (Time, Some(text)) => time::given(&Word::Text(text.to_owned())).map(|_| ()),
            (Duration, Some(text)) => duration(text.trim()).map(|_| ()),
            (Pattern, Some(text)) => check_pattern(text),
            (Zone, Some(text)) => time::zone(&Word::Text(text.to_owned())).map(|_| ()),
            (OfHours, Some(text)) => Hours::parse(text).map(|_| ()),
            (Currency, Some(code)) => money::currency(code).map(|_| ()),
        });
        checked.enumerate().find_map(|(index, checked)| Some((index, checked.err()?)))
    }
}

fn language(word: Option<&Word>, given: &Given<'_>) -> Result<Language, String> {
    match word {
        None | Some(Word::Nothing) => Ok(given.language.map_or_else(Language::default, Language::of)),
        Some(Word::Text(code)) => Ok(Language::of(code)),
        Some(other) => Err(format!("expected a language, for example \"pt_BR\", got {}", other.described())),
    }
}

fn hours(word: &Word) -> Result<Hours, String> {
    match word {
        Word::Text(text) => Hours::parse(text),
        other => Err(format!(
            "expected days and hours, for example \"MON-FRI 08:00-17:00\", got {}",
            other.described()
        )),
    }
}
