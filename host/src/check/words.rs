//! Numbers and times, in words.

use jiff::{SignedDuration, Timestamp, Unit};

/// `1 group`, `2 groups`.
pub fn count(number: impl TryInto<i64>, one: &str, many: &str) -> String {
    let number = number.try_into().unwrap_or(i64::MAX);
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `1,240`.
pub fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `900 MiB`, `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut number, mut unit) = (bytes as f64, 0);
    while number >= 1_024.0 && unit + 1 < UNITS.len() {
        number /= 1_024.0;
        unit += 1;
    }
    if number >= 10.0 || unit == 0 {
        format!("{number:.0} {}", UNITS[unit])
    } else {
        format!("{number:.1} {}", UNITS[unit])
    }
}

/// As [`count`]; `are_more` says that not all were counted.
pub fn at_least(number: i64, are_more: bool, one: &str, many: &str) -> String {
    let counted = count(number, one, many);
    if are_more { counted.replacen(' ', " or more ", 1) } else { counted }
}

/// `5 s`, `3 min`, `2 h`, `4 days`.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().abs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The time from `then` until `now`.
pub fn since(then: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(then)
}

/// A time in UTC, to the second.
pub fn time(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}

/// A word of a shell command, quoted if it needs to be.
pub fn quoted(word: &str) -> String {
    match shlex::try_quote(word) {
        Ok(quoted) => quoted.into_owned(),
        // A NUL: no argument of a program can hold it.
        Err(_) => shlex::try_quote(&word.replace('\0', "")).unwrap_or_default().into_owned(),
    }
}

/// The first few of `all` names.
pub fn some(names: &[String], all: i64) -> String {
    let listed = names.join(", ");
    match all - i64::try_from(names.len()).unwrap_or(all) {
        more if more > 0 => format!("{listed} and {} more", grouped(more)),
        _ => listed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_commands_are_quoted_for_the_shell() {
        for (word, expected) in [
            ("ops", "ops"),
            ("Sales Team", "'Sales Team'"),
            ("$HOME", "'$HOME'"),
            ("it's", "\"it's\""),
            ("--all", "--all"),
            ("a\0b", "ab"),
            ("é", "'é'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn numbers_and_spans() {
        assert_eq!(count(1, "group", "groups"), "1 group");
        assert_eq!(count(1_234_567, "group", "groups"), "1,234,567 groups");
        assert_eq!(count(100, "", "x"), "100 x");
        for (seconds, words) in [(5, "5 s"), (-125, "2 min"), (9_000, "2 h"), (400_000, "4 days")] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), words);
        }
        for (bytes, words) in [(5, "5 B"), (943_718_400, "900 MiB"), (1_610_612_736, "1.5 GiB")] {
            assert_eq!(size(bytes), words);
        }
    }
}
