//! Phone numbers as in WhatsApp: digits with the country code, without a plus sign.

/// A parsed phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Digits of the E.164 number, as in `wa_id`.
    pub wa_id: String,
    /// Whether the number belongs to a known range of the country's numbering plan. Plans grow: an unknown number may
    /// work all the same.
    pub known: bool,
}

/// Parses a number as people write it: `+263 77 123 4567`, `00263…`, or digits with the country code.
///
/// # Errors
/// If it cannot be a phone number.
pub fn number(text: &str) -> Result<Number, String> {
    let (wa_id, number) = parsed(text)?;
    Ok(Number { wa_id, known: phonenumber::is_valid(&number) })
}

/// Parses a number as [`number`] does, without looking it up in the numbering plan, which takes as long again.
///
/// # Errors
/// If it cannot be a phone number.
pub fn digits(text: &str) -> Result<String, String> {
    parsed(text).map(|(wa_id, _)| wa_id)
}

fn parsed(text: &str) -> Result<(String, phonenumber::PhoneNumber), String> {
    let plain: String =
        text.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}')).collect();
    let digits = plain.strip_prefix('+').or_else(|| plain.strip_prefix("00")).unwrap_or(&plain);
    let wrong =
        |why: &str| format!("{text:?} {why}; write it with its country code, for example +263 77 123 4567");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong("is not a phone number"));
    }
    if digits.starts_with('0') {
        return Err(wrong("begins with 0"));
    }
    // E.164, 6.2: at most 15 digits.
    if !(7..=15).contains(&digits.len()) {
        return Err(wrong(&format!("has {} digits instead of 7 to 15", digits.len())));
    }
    match phonenumber::parse(None, format!("+{digits}")) {
        Ok(number) => Ok((digits.to_owned(), number)),
        Err(phonenumber::ParseError::InvalidCountryCode) => {
            Err(wrong("does not begin with a known country code"))
        }
        Err(error) => Err(wrong(&format!("is not a phone number ({error})"))),
    }
}

/// The other number under which WhatsApp may know the same user: with or without Brazil's ninth digit, Mexico's 1 or
/// Argentina's 9 after the country code. (Meta, "Send messages": the prefix "may be modified by the Cloud API".) `None`
/// for anything else, including user ids. Applying it twice returns the number.
pub fn same_user(wa_id: &str) -> Option<String> {
    // Mobile numbers of Brazil began with 6 to 9 when they had eight digits; landlines never got the ninth.
    let was_mobile = |rest: &str| rest.starts_with(['6', '7', '8', '9']);
    if let Some((area, rest)) = wa_id.strip_prefix("55").and_then(|rest| rest.split_at_checked(2)) {
        return match (rest.len(), rest.strip_prefix('9')) {
            (9, Some(old)) if was_mobile(old) => Some(format!("55{area}{old}")),
            (8, _) if was_mobile(rest) => Some(format!("55{area}9{rest}")),
            _ => None,
        };
    }
    let (country, extra) = if wa_id.starts_with("52") { ("52", '1') } else { ("54", '9') };
    let rest = wa_id.strip_prefix(country)?;
    match (rest.len(), rest.strip_prefix(extra)) {
        (11, Some(short)) => Some(format!("{country}{short}")),
        (10, _) => Some(format!("{country}{extra}{rest}")),
        _ => None,
    }
}

/// All spellings of an address (digits of a number, or a user id) in WhatsApp, the given one first.
pub fn spellings(address: &str) -> impl Iterator<Item = String> {
    std::iter::once(address.to_owned()).chain(same_user(address))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in ["+263 77 123 4567", "00263771234567", "263771234567", " (+263) 77-123.4567 "] {
            let text = text.replace("(+263)", "+263");
            assert_eq!(number(&text).unwrap(), Number { wa_id: "263771234567".to_owned(), known: true });
        }
    }

    #[test]
    fn what_cannot_be_a_number_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "not a phone number"),
            ("tendai", "not a phone number"),
            ("0771234567", "begins with 0"),
            ("+26377", "has 5 digits"),
            ("+2637712345678901", "has 16 digits"),
            ("+2107712345678", "a known country code"),
        ] {
            let error = number(text).unwrap_err();
            assert!(error.contains(why) && error.contains("+263 77 123 4567"), "{text}: {error}");
        }
    }

    #[test]
    fn a_number_that_no_plan_knows_is_read_with_doubt() {
        assert!(!number("+1 555 010 0001").unwrap().known);
    }

    #[test]
    fn brazil_mexico_and_argentina_have_two_numbers_for_one_user() {
        for (one, other) in [
            ("554188887777", Some("5541988887777")),
            ("5541988887777", Some("554188887777")),
            ("554133334444", None),
            ("5215512345678", Some("525512345678")),
            ("525512345678", Some("5215512345678")),
            ("5491112345678", Some("541112345678")),
            ("541112345678", Some("5491112345678")),
            ("263771234567", None),
            ("55", None),
            ("54", None),
            ("US.5491112345678", None),
        ] {
            assert_eq!(same_user(one).as_deref(), other, "{one}");
            assert!(other.is_none_or(|other| same_user(other).as_deref() == Some(one)), "{one} and back");
        }
    }
}
