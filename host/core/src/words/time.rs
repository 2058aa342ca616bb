//! Points in time: read, moved, compared and formatted.

use std::{cmp::Ordering, time::Duration};

use jiff::{SignedDuration, Timestamp, Zoned, civil::DateTime, fmt::strtime, tz::TimeZone};

use super::{Word, language::Language};
use crate::bounds::cut;

/// Maximum length of a pattern, in bytes.
const PATTERN: usize = 200;
/// Help for a time without an offset.
const NO_OFFSET: &str = "has no offset: name its zone, for example time(value, \"Africa/Harare\")";

/// Parses a time in RFC 3339.
///
/// # Errors
/// If it is not one.
pub fn timestamp(text: &str) -> Result<Timestamp, String> {
    text.trim().parse().map_err(|_| {
        format!("expected a time in RFC 3339, for example 2026-11-23T09:00:00Z, got `{}`", cut(text, 100))
    })
}

/// Parses a duration of at most a year, a number and a unit: `90s`, `10m`, `2h`, `1d`.
///
/// # Errors
/// If it is not one.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    const YEAR: Duration = Duration::from_secs(365 * 86_400);
    let wrong = || {
        let text = cut(text, 100);
        format!("expected a duration of at most 365d, for example 90s, 10m, 2h or 1d, got `{text}`")
    };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let seconds = match text[digits.len()..].trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    let duration = count.checked_mul(seconds).map(Duration::from_secs).filter(|duration| *duration <= YEAR);
    duration.and_then(|duration| duration.try_into().ok()).ok_or_else(wrong)
}

/// A time zone of the IANA database.
pub(super) fn zone(word: &Word) -> Result<TimeZone, String> {
    let Word::Text(name) = word else {
        return Err(format!("expected a time zone, for example \"Africa/Harare\", got {}", word.described()));
    };
    TimeZone::get(name.trim()).map_err(|_| {
        format!("unknown time zone {:?}; use an IANA name, for example \"Africa/Harare\"", cut(name, 40))
    })
}

/// A time, given as one or as a string in RFC 3339.
pub(super) fn given(word: &Word) -> Result<Timestamp, String> {
    match word {
        Word::Time(time) => Ok(*time),
        Word::Text(text) => read(text),
        other => Err(format!("expected a time, got {}", other.described())),
    }
}

fn read(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    match text.parse() {
        Ok(time) => Ok(time),
        Err(_) if text.parse::<DateTime>().is_ok() => {
            Err(format!("the time {:?} {NO_OFFSET}", cut(text, 40)))
        }
        Err(_) => timestamp(text),
    }
}

/// Reads a time: RFC 3339, seconds since 1970, or a date with or without a time of the day in a time zone. A missing or
/// blank value stays missing.
pub(super) fn time(value: &Word, of_zone: Option<&Word>) -> Result<Word, String> {
    let wrong =
        || format!("expected a time, for example \"2026-11-23T09:00:00Z\", got {}", value.described());
    let time = match value {
        value if value.is_blank() => return Ok(Word::Nothing),
        Word::Time(time) => *time,
        Word::Int(seconds) => Timestamp::from_second(*seconds).map_err(|_| wrong())?,
        Word::Float(seconds) => SignedDuration::try_from_secs_f64(*seconds)
            .ok()
            .and_then(|since| Timestamp::from_duration(since).ok())
            .ok_or_else(wrong)?,
        Word::Text(text) => match (text.trim().parse::<Timestamp>(), of_zone) {
            (Ok(time), _) => time,
            (Err(_), None) => {
                read(text).map_err(|why| if why.contains(NO_OFFSET) { why } else { wrong() })?
            }
            (Err(_), Some(of_zone)) => {
                let zone = zone(of_zone)?;
                let local = text.trim().parse::<DateTime>().map_err(|_| wrong())?;
                zone.to_ambiguous_zoned(local).compatible().map_err(|_| wrong())?.timestamp()
            }
        },
        _ => return Err(wrong()),
    };
    Ok(Word::Time(time))
}

/// Whether a duration is added or subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// A time or a duration, moved by a duration (also one as a string, `"24h"`); or the duration between two times.
///
/// # Errors
/// If the values cannot be added or subtracted.
pub fn moved(a: &Word, sign: Sign, b: &Word) -> Result<Word, String> {
    let (verb, with) = match sign {
        Sign::Plus => ("add", "to"),
        Sign::Minus => ("subtract", "from"),
    };
    let by = |word: &Word| match word {
        Word::Duration(by) => Ok(*by),
        Word::Text(text) => duration(text.trim()),
        other => Err(format!(
            "cannot {verb} {} {with} {}; write a duration, for example \"24h\"",
            other.described(),
            a.described()
        )),
    };
    let signed = |by: SignedDuration| if sign == Sign::Minus { -by } else { by };
    let range = || format!("cannot {verb} {} {with} {}: out of range", b.described(), a.described());
    match (a, sign, b) {
        (Word::Time(a), Sign::Minus, Word::Time(b)) => Ok(Word::Duration(a.duration_since(*b))),
        (Word::Time(time), _, by_word) => {
            time.checked_add(signed(by(by_word)?)).map(Word::Time).map_err(|_| range())
        }
        (Word::Duration(_), Sign::Plus, Word::Time(_)) => moved(b, sign, a),
        (Word::Duration(a), _, by_word) => {
            a.checked_add(signed(by(by_word)?)).map(Word::Duration).ok_or_else(range)
        }
        (Word::Text(text), _, Word::Duration(_) | Word::Time(_)) => Err(format!(
            "cannot {verb} {} {with} the string {:?}; make a time of it: time(value)",
            b.described(),
            cut(text, 40)
        )),
        _ => Err(format!("cannot {verb} {} {with} {}", b.described(), a.described())),
    }
}

/// How two values of which one is a time or a duration are ordered; `None` if one of them is missing, or if neither is one.
///
/// # Errors
/// If they cannot be compared.
pub fn compared(a: &Word, b: &Word) -> Result<Option<Ordering>, String> {
    match (a, b) {
        (Word::Time(a), Word::Time(b)) => Ok(Some(a.cmp(b))),
        (Word::Duration(a), Word::Duration(b)) => Ok(Some(a.cmp(b))),
        (Word::Duration(a), Word::Text(b)) => Ok(Some(a.cmp(&duration(b.trim())?))),
        (Word::Text(a), Word::Duration(b)) => Ok(Some(duration(a.trim())?.cmp(b))),
        (Word::Nothing, _) | (_, Word::Nothing) => Ok(None),
        (Word::Time(_) | Word::Duration(_), _) | (_, Word::Time(_) | Word::Duration(_)) => {
            let help = match (a, b) {
                (Word::Text(_), Word::Time(_)) | (Word::Time(_), Word::Text(_)) => {
                    "; make a time of it: time(value)"
                }
                _ => "",
            };
            Err(format!("cannot compare {} with {}{help}", a.described(), b.described()))
        }
        _ => Ok(None),
    }
}

/// Formats a time by a pattern of `strftime`, with months and days of the week in a language.
pub(super) fn format(
    time: &Word,
    pattern: &Word,
    of_zone: &Word,
    language: &Language,
) -> Result<Word, String> {
    if time.is_blank() {
        return Ok(Word::Nothing);
    }
    let Word::Text(pattern) = pattern else {
        return Err(format!("expected a pattern, for example \"%d %b %Y\", got {}", pattern.described()));
    };
    let time = given(time)?.to_zoned(zone(of_zone)?);
    formatted(pattern, &time, language).map(Word::Text)
}

fn formatted(pattern: &str, time: &Zoned, language: &Language) -> Result<String, String> {
    if pattern.len() > PATTERN {
        return Err(format!("the pattern is longer than {PATTERN} bytes"));
    }
    let mut named = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        named.push_str(before);
        let end = after.find(|c: char| !matches!(c, '-' | '_' | '^' | '#') && !c.is_ascii_digit());
        let (flags, directive) = after.split_at(end.unwrap_or(after.len()));
        let letter = directive.chars().next().unwrap_or('%');
        match language.name(letter, time) {
            Some(name) => {
                let name = if flags.contains('^') { name.to_uppercase() } else { name };
                named.push_str(&name.replace('%', "%%"));
            }
            None => {
                named.push('%');
                named.push_str(flags);
                named.extend(directive.chars().next());
            }
        }
        rest = &directive[directive.chars().next().map_or(0, char::len_utf8)..];
    }
    named.push_str(rest);
    strtime::format(&named, time).map_err(|_| {
        format!(
            "{:?} is not a valid pattern; see strftime, for example \"%a %-d %b, %H:%M\"",
            cut(pattern, 40)
        )
    })
}

/// What is wrong with a pattern.
pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
    formatted(pattern, &Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC), &Language::default()).map(|_| ())
}
