//! The functions by their names, with what each of their arguments must be.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::{
    Given, Hours, Word, duration,
    language::Language,
    lists, money,
    time::{self, check_pattern},
};

/// What an argument must be, where that can be seen in a value that is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    Any,
    Time,
    Duration,
    Pattern,
    Zone,
    Hours,
    Currency,
    Number,
    Text,
    Count,
}

/// Maximum length of what comes out of arguments that are written out, in bytes.
const LITERAL: usize = 64 * 1024;

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

use Argument::{Any, Count, Currency, Duration, Hours as OfHours, Number, Pattern, Text, Time, Zone};

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
        work: |words, _| length(&words[0]).map(Word::Duration),
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
        arguments: &[Number],
        optional: 0,
        work: |words, _| money::number(&words[0]),
    },
    Function {
        name: "money",
        usage: "money(value), money(value, \"USD\")",
        arguments: &[Number, Currency, Any],
        optional: 2,
        work: |words, given| money::money(&words[0], words.get(1), &language(words.get(2), given)?),
    },
    Function {
        name: "plural",
        usage: "plural(count, \"line\", \"lines\")",
        arguments: &[Number, Text, Text, Any],
        optional: 1,
        work: |words, given| lists::plural(&words[0], &words[1], &words[2], &language(words.get(3), given)?),
    },
    Function {
        name: "join",
        usage: "join(list, \", \")",
        arguments: &[Any, Text],
        optional: 0,
        work: |words, given| lists::join(&words[0], &words[1], given),
    },
    Function {
        name: "lines",
        usage: "lines(list), lines(list, \"- \")",
        arguments: &[Any, Text],
        optional: 1,
        work: |words, given| lists::lines(&words[0], words.get(1), given),
    },
    Function {
        name: "truncate",
        usage: "truncate(text, 100)",
        arguments: &[Any, Count],
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

    /// Checks arguments that are written out; returns which one is wrong, and why.
    pub fn doubt(&self, written: &[Option<Word>]) -> Option<(usize, String)> {
        let checked = self.arguments.iter().zip(written).map(|(argument, word)| match word {
            None => Ok(()),
            Some(word) => argument.check(word),
        });
        let wrong = checked.enumerate().find_map(|(index, checked)| Some((index, checked.err()?)));
        wrong.or_else(|| {
            let words: Vec<Word> = written.iter().cloned().collect::<Option<_>>()?;
            Some((0, self.call(&words, &Given { language: None, limit: LITERAL }).err()?))
        })
    }
}

impl Argument {
    fn check(self, word: &Word) -> Result<(), String> {
        match self {
            Any => Ok(()),
            Time => time::given(word).map(|_| ()),
            Duration => length(word).map(|_| ()),
            Pattern => match word {
                Word::Text(text) => check_pattern(text),
                other => {
                    Err(format!("expected a pattern, for example \"%-d %b\", got {}", other.described()))
                }
            },
            Zone => time::zone(word).map(|_| ()),
            OfHours => hours(word).map(|_| ()),
            Currency => money::currency_of(word).map(|_| ()),
            Number => money::number(word).map(|_| ()),
            Count => lists::count(word).map(|_| ()),
            Text => match word {
                Word::Text(_) => Ok(()),
                other => Err(format!("expected a string, got {}", other.described())),
            },
        }
    }
}

fn language(word: Option<&Word>, given: &Given<'_>) -> Result<Language, String> {
    match word {
        None | Some(Word::Nothing) => Ok(given.language.map_or_else(Language::default, Language::of)),
        Some(Word::Text(code)) => Ok(Language::of(code)),
        Some(other) => Err(format!("expected a language, for example \"pt_BR\", got {}", other.described())),
    }
}

fn length(word: &Word) -> Result<SignedDuration, String> {
    match word {
        Word::Duration(of) => Ok(*of),
        Word::Text(text) => duration(text.trim()),
        other => Err(format!("expected a duration, for example \"24h\", got {}", other.described())),
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
