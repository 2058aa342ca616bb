//! Whether a text names somebody who is to be forgotten. Pure.

/// Whether a text, such as an event's data, holds one of these numbers (digits), however it is written, or one of
/// these user ids. A number counts as a whole only: not as a part of a longer one.
pub fn names(text: &str, ids: &[String]) -> bool {
    let joined: String =
        text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}')).collect();
    ids.iter().any(|id| {
        if id.bytes().all(|byte| byte.is_ascii_digit()) {
            [text, &joined].into_iter().any(|text| numbers(text).any(|found| found == id))
        } else {
            text.contains(id.as_str())
        }
    })
}

/// The runs of digits, without the 00 of a number that is dialled abroad.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let runs = text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.map(|run| run.strip_prefix("00").unwrap_or(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_is_written() {
        let ids = ["263770000205".to_owned(), "US.1a2b".to_owned()];
        for text in [
            r#"{"wa_id": "263770000205"}"#,
            r#"{"phone": 263770000205}"#,
            r#"{"phone": "+263 77 000 0205"}"#,
            r#"{"phone": "00263-77-000-0205"}"#,
            r#"{"note": "call +263 (77) 000.0205, today"}"#,
            "contact-263770000205",
            r#"{"user": "US.1a2b"}"#,
        ] {
            assert!(names(text, &ids), "{text}");
        }
        for text in [
            r#"{"wa_id": "2637700002051"}"#,
            r#"{"wa_id": "1263770000205"}"#,
            r#"{"amounts": [263, 770000205]}"#,
            "",
        ] {
            assert!(!names(text, &ids), "{text}");
        }
    }
}
