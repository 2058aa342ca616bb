#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::*;

const MOST: usize = 64 * 1024;

fn text(text: &str) -> Word {
    Word::Text(text.to_owned())
}

fn at(text: &str) -> Word {
    Word::Time(text.parse().unwrap())
}

fn call_in(language: Option<&str>, name: &str, words: &[Word]) -> Result<Word, String> {
    function(name).unwrap().call(words, &Given { language, limit: MOST })
}

fn call(name: &str, words: &[Word]) -> Result<Word, String> {
    call_in(None, name, words)
}

fn formatted(pattern: &str, language: &str) -> String {
    let words = [text("2026-12-03T12:05:00Z"), text(pattern), text("Africa/Harare"), text(language)];
    match call("format", &words) {
        Ok(Word::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn times_are_read_in_each_form() {
    let harare = text("Africa/Harare");
    for (words, expected) in [
        (vec![text("2026-12-03T14:00:00+02:00")], "2026-12-03T12:00:00Z"),
        (vec![text("2026-12-03T14:00:00Z"), harare.clone()], "2026-12-03T14:00:00Z"),
        (vec![text("2026-12-03T14:00"), harare.clone()], "2026-12-03T12:00:00Z"),
        (vec![text("2026-12-03 14:00"), harare.clone()], "2026-12-03T12:00:00Z"),
        (vec![text("2026-12-03"), harare], "2026-12-02T22:00:00Z"),
        (vec![Word::Int(0)], "1970-01-01T00:00:00Z"),
        (vec![Word::Float(1.5)], "1970-01-01T00:00:01.5Z"),
    ] {
        assert_eq!(call("time", &words).unwrap(), at(expected), "{words:?}");
    }
    for missing in [Word::Nothing, text(" ")] {
        assert_eq!(call("time", &[missing]).unwrap(), Word::Nothing);
    }
}

#[test]
fn months_and_days_have_the_names_of_a_language() {
    let mut shown = String::new();
    for language in ["en", "en_GB", "pt", "pt_PT", "fr", "sw", "es", "es_MX", "de", "ar", "sn", "xx_YY"] {
        writeln!(shown, "{language}: {}", formatted("%a %-d %b, %H:%M | %A %d %B %Y | %^a 100%%", language))
            .unwrap();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn amounts_have_the_decimals_of_their_currency_and_the_separators_of_a_language() {
    let mut shown = String::new();
    for language in ["en", "en_US", "pt_BR", "pt_PT", "fr", "sw", "es", "es_MX", "de", "ar", "hi", "xx"] {
        write!(shown, "{language}:").unwrap();
        for (amount, currency) in [
            (Word::Float(1_234_567.5), "USD"),
            (text("-0.004"), "ZWG"),
            (Word::Int(1_234), "JPY"),
            (Word::Float(0.5), "KWD"),
        ] {
            let words = [amount, text(currency)];
            let Word::Text(money) = call_in(Some(language), "money", &words).unwrap() else { panic!() };
            write!(shown, " {money};").unwrap();
        }
        let words = [Word::Int(1_200), text("line"), text("lines")];
        let Word::Text(lines) = call_in(Some(language), "plural", &words).unwrap() else { panic!() };
        writeln!(shown, " {lines}").unwrap();
    }
    insta::assert_snapshot!(shown);
    for (amount, plain) in [
        (Word::Float(1_234.5), "1234.50"),
        (text("12"), "12.00"),
        (Word::Nothing, "0.00"),
        (Word::Int(i64::MAX), "9223372036854775807.00"),
        (Word::Float(-0.001), "0.00"),
    ] {
        assert_eq!(call("money", &[amount]).unwrap(), text(plain));
    }
}

#[test]
fn the_noun_belongs_to_the_number() {
    for (language, count, expected) in [
        ("en", Word::Int(0), "0 lines"),
        ("en", Word::Int(1), "1 line"),
        ("en", Word::Float(1.5), "1.5 lines"),
        ("en", text("1"), "1 line"),
        ("fr", Word::Int(0), "0 line"),
        ("fr", Word::Float(1.5), "1,5 line"),
        ("pt_BR", Word::Int(0), "0 line"),
        ("pt_PT", Word::Int(0), "0 lines"),
        ("de", Word::Int(12_000), "12.000 lines"),
    ] {
        let words = [count, text("line"), text("lines")];
        assert_eq!(call_in(Some(language), "plural", &words).unwrap(), text(expected), "{language}");
    }
}

#[test]
fn lists_become_texts() {
    let list = Word::List(vec![text("a"), Word::Nothing, Word::Float(2.0), text(" "), Word::Bool(true)]);
    assert_eq!(call("join", &[list.clone(), text("; ")]).unwrap(), text("a; ; 2;  ; true"));
    assert_eq!(call("lines", std::slice::from_ref(&list)).unwrap(), text("a\n2\ntrue"));
    assert_eq!(call("lines", &[list, text("- ")]).unwrap(), text("- a\n- 2\n- true"));
    assert_eq!(call("lines", &[Word::Nothing]).unwrap(), text(""));
    assert_eq!(call("truncate", &[text("abc def"), Word::Int(5)]).unwrap(), text("abc…"));
    assert_eq!(call("truncate", &[text("abcde"), Word::Int(5)]).unwrap(), text("abcde"));
    assert_eq!(call("truncate", &[Word::Nothing, Word::Int(5)]).unwrap(), text(""));
    let large = Word::List(vec![text(&"x".repeat(MOST / 2)); 3]);
    for name in ["join", "lines"] {
        let why = call(name, &[large.clone(), text("")]).unwrap_err();
        assert_eq!(why, "a string grew beyond 64 KiB");
    }
}

#[test]
fn times_are_calculated_with() {
    let noon = at("2026-12-03T12:00:00Z");
    let day = call("duration", &[text("1d")]).unwrap();
    for (a, sign, b, expected) in [
        (noon.clone(), Sign::Plus, day.clone(), at("2026-12-04T12:00:00Z")),
        (day.clone(), Sign::Plus, noon.clone(), at("2026-12-04T12:00:00Z")),
        (noon.clone(), Sign::Minus, text("90m"), at("2026-12-03T10:30:00Z")),
        (at("2026-12-04T12:00:00Z"), Sign::Minus, noon.clone(), day.clone()),
        (day.clone(), Sign::Plus, text("24h"), Word::Duration(jiff::SignedDuration::from_hours(48))),
    ] {
        assert_eq!(moved(&a, sign, &b).unwrap(), expected);
    }
    assert_eq!(compared(&noon, &at("2026-12-03T14:00:00+02:00")).unwrap(), Some(std::cmp::Ordering::Equal));
    assert_eq!(compared(&day, &text("2h")).unwrap(), Some(std::cmp::Ordering::Greater));
    assert_eq!(compared(&noon, &Word::Nothing).unwrap(), None);
}

#[test]
fn hours_are_those_of_the_zone() {
    let shop = Hours::parse("MON-FRI 08:00-17:00, SAT 09:00-12:00").unwrap();
    let night = Hours::parse("FRI,SAT 22:00-02:00").unwrap();
    let harare = TimeZone::get("Africa/Harare").unwrap();
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    for (hours, zone, time, next) in [
        // 08:00 on a Monday in Harare.
        (&shop, &harare, "2026-11-23T06:00:00Z", "2026-11-23T06:00:00Z"),
        (&shop, &harare, "2026-11-23T05:59:59Z", "2026-11-23T06:00:00Z"),
        (&shop, &harare, "2026-11-23T15:00:00Z", "2026-11-24T06:00:00Z"),
        // Friday evening, Saturday afternoon.
        (&shop, &harare, "2026-11-27T16:00:00Z", "2026-11-28T07:00:00Z"),
        (&shop, &harare, "2026-11-28T10:00:00Z", "2026-11-30T06:00:00Z"),
        // 01:00 on Sunday belongs to Saturday's night, 03:00 does not.
        (&night, &harare, "2026-11-28T23:00:00Z", "2026-11-28T23:00:00Z"),
        (&night, &harare, "2026-11-29T01:00:00Z", "2026-12-04T20:00:00Z"),
        // On 29 March 2026 the clock in Berlin goes from 02:00 to 03:00.
        (&shop, &berlin, "2026-03-28T13:00:00Z", "2026-03-30T06:00:00Z"),
    ] {
        let time: Timestamp = time.parse().unwrap();
        let found = hours.next(time, zone).unwrap();
        assert_eq!(found.to_string(), next, "{time}");
        assert_eq!(hours.contain(time, zone), found == time, "{time}");
    }
    assert!(Hours::parse("00:00-24:00").unwrap().contain(Timestamp::UNIX_EPOCH, &berlin));
}

/// For each hour of a year and each of these hours: what comes next is within them, and nothing before it is.
#[test]
fn the_next_time_is_within_the_hours_and_the_first() {
    for hours in
        ["MON-FRI 08:00-17:00", "02:15-02:45", "SUN 23:00-01:00, WED 02:00-03:00", "FRI-MON 00:30-24:00"]
    {
        let hours = Hours::parse(hours).unwrap();
        for zone in ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"] {
            let zone = TimeZone::get(zone).unwrap();
            let mut time: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
            for _ in 0..2_000 {
                let next = hours.next(time, &zone).unwrap();
                // An hour that the clock skips begins when it would have been.
                let skipped = !hours.contain(next, &zone);
                assert!(!skipped || next.to_zoned(zone.clone()).date().month() == 3, "{next}");
                let before = next.checked_sub(1.second()).unwrap();
                assert!(next == time || !hours.contain(before, &zone), "{next}");
                time = time.checked_add(263.minutes()).unwrap();
            }
        }
    }
}

#[test]
fn what_is_wrong_is_said() {
    let noon = at("2026-12-03T12:00:00Z");
    let mut said = String::new();
    let calls: Vec<(&str, Vec<Word>)> = vec![
        ("time", vec![text("soon")]),
        ("time", vec![text("2026-12-03T14:00")]),
        ("time", vec![text("2026-12-03"), text("Harare")]),
        ("time", vec![text("next week"), text("Africa/Harare")]),
        ("time", vec![Word::Bool(true)]),
        ("time", vec![Word::Int(i64::MAX)]),
        ("time", vec![]),
        ("duration", vec![text("soon")]),
        ("duration", vec![Word::Int(5)]),
        ("format", vec![noon.clone(), text("%"), text("UTC")]),
        ("format", vec![noon.clone(), text("%é"), text("UTC")]),
        ("format", vec![noon.clone(), text(&"%Y".repeat(150)), text("UTC")]),
        ("format", vec![noon.clone(), Word::Int(1), text("UTC")]),
        ("format", vec![noon.clone(), text("%H"), Word::Nothing]),
        ("format", vec![noon.clone(), text("%H"), text("UTC"), Word::Int(1)]),
        ("format", vec![text("2026-12-03T14:00"), text("%H"), text("UTC")]),
        ("in_hours", vec![Word::Nothing, text("08:00-17:00"), text("UTC")]),
        ("in_hours", vec![noon.clone(), text("MO-FR 8-17"), text("UTC")]),
        ("in_hours", vec![noon.clone(), text("MON-FRI"), text("UTC")]),
        ("next_in_hours", vec![noon.clone(), text("08:00-25:00"), text("UTC")]),
        ("next_in_hours", vec![noon.clone(), Word::Nothing, text("UTC")]),
        ("number", vec![text("1,234.50")]),
        ("number", vec![Word::Other("a map")]),
        ("money", vec![text("abc"), text("USD")]),
        ("money", vec![Word::Int(1), text("DOLLARS")]),
        ("money", vec![Word::Int(1), Word::Int(1)]),
        ("money", vec![Word::Float(f64::NAN)]),
        ("plural", vec![Word::Nothing, text("line"), text("lines")]),
        ("plural", vec![Word::Int(1), text("line")]),
        ("join", vec![text("a"), text(", ")]),
        ("join", vec![Word::List(vec![Word::Other("a map")]), text(", ")]),
        ("join", vec![Word::List(vec![]), Word::Int(1)]),
        ("lines", vec![Word::Int(1)]),
        ("truncate", vec![text("a"), Word::Int(0)]),
        ("truncate", vec![text("a"), text("5")]),
    ];
    for (name, words) in calls {
        let shown = cut(&format!("{words:?}"), 100);
        writeln!(said, "{name}({shown})\n    {}", call(name, &words).unwrap_err()).unwrap();
    }
    for (a, sign, b) in [
        (noon.clone(), Sign::Minus, Word::Int(60)),
        (noon.clone(), Sign::Plus, noon.clone()),
        (noon.clone(), Sign::Plus, text("soon")),
        (noon.clone(), Sign::Minus, Word::Nothing),
        (text("2026-12-03"), Sign::Plus, call("duration", &[text("1d")]).unwrap()),
        (Word::Time(Timestamp::MAX), Sign::Plus, text("1d")),
    ] {
        writeln!(said, "{a:?} {sign:?} {b:?}\n    {}", moved(&a, sign, &b).unwrap_err()).unwrap();
    }
    for (a, b) in [(noon.clone(), text("2026-12-03")), (noon, Word::Int(1))] {
        writeln!(said, "{a:?} <> {b:?}\n    {}", compared(&a, &b).unwrap_err()).unwrap();
    }
    insta::assert_snapshot!(said);
}

/// No pattern, whatever it is, takes long or makes a long text.
#[test]
fn patterns_are_bounded() {
    let mut seed = 7_u64;
    let letters: Vec<char> = "%%%%aAbBhdHMSYyZzQpf0123456789-_^#:.éx ".chars().collect();
    for _ in 0..20_000 {
        let pattern: String = (0..12)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                letters[(seed >> 33) as usize % letters.len()]
            })
            .collect();
        let words = [at("2026-12-03T12:00:00Z"), text(&pattern), text("UTC"), text("ar")];
        if let Ok(Word::Text(text)) = call("format", &words) {
            assert!(text.len() < 5_000, "{pattern}");
        }
    }
}

#[test]
fn hours_without_their_zone_are_told_what_is_missing() {
    for (text, why) in [
        ("MON-FRI 08:00-17:00", "the time zone is missing"),
        ("8-17", "got \"8-17\""),
        ("MON-FRI 08:00-17:00 Harare", "there is no zone \"Harare\""),
    ] {
        let said = opening_hours(text).unwrap_err();
        assert!(
            said.starts_with("expected hours and their time zone") && said.ends_with(why),
            "{text}: {said}"
        );
    }
}
