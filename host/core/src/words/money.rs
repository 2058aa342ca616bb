//! Numbers and amounts of money.

use iso_currency::Currency;

use super::{Word, language::Language};
use crate::bounds::cut;

/// The number that a string is, if it is a finite one: `600`, ` -1.5 `, `1e3`.
pub fn number_in(string: &str) -> Option<f64> {
    string.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// A number as it is; the number that a string is; a missing or blank value as a missing one.
pub(super) fn number(value: &Word) -> Result<Word, String> {
    let wrong = || format!("expected a number, or a string such as \"1234.5\", got {}", value.described());
    match value {
        Word::Int(_) | Word::Float(_) => Ok(value.clone()),
        blank if blank.is_blank() => Ok(Word::Nothing),
        Word::Text(text) => match (text.trim().parse::<i64>(), number_in(text)) {
            (Ok(whole), _) => Ok(Word::Int(whole)),
            (Err(_), Some(float)) => Ok(Word::Float(float)),
            (Err(_), None) => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// An amount with two decimals, `1234.50`; with a currency, with its code, as many decimals as it has, and the separators
/// of a language: `USD 1,234.50`. A missing or blank amount is zero.
pub(super) fn money(amount: &Word, currency: Option<&Word>, language: &Language) -> Result<Word, String> {
    let amount = number(amount)?;
    let Some(currency) = currency else { return decimals(&amount, 2).map(Word::Text) };
    let currency = currency_of(currency)?;
    let number = decimals(&amount, usize::from(currency.exponent().unwrap_or(2)))?;
    let (sign, whole, rest) = parts(&number);
    let number = format!("{sign}{}", language.separated(whole, rest));
    let code = currency.code();
    Ok(Word::Text(match language.code_comes_first() {
        true => format!("{code} {number}"),
        false => format!("{number} {code}"),
    }))
}

/// The currency with a code of ISO 4217.
pub(super) fn currency_of(word: &Word) -> Result<Currency, String> {
    let Word::Text(code) = word else {
        return Err(format!("expected a currency, for example \"USD\", got {}", word.described()));
    };
    Currency::from_code(&code.trim().to_ascii_uppercase()).ok_or_else(|| {
        format!("unknown currency {:?}; use a code of ISO 4217, for example \"USD\"", cut(code, 40))
    })
}

/// A number with so many decimals: `-1234.50`. There is no negative zero.
fn decimals(number: &Word, count: usize) -> Result<String, String> {
    let zeros = |whole: i64| if count == 0 { whole.to_string() } else { format!("{whole}.{:0<count$}", "") };
    let text = match number {
        Word::Int(int) => zeros(*int),
        Word::Float(float) if float.is_finite() => format!("{float:.count$}"),
        Word::Float(_) => return Err("expected a finite number".to_owned()),
        _ => zeros(0),
    };
    match text.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|digit| matches!(digit, b'0' | b'.')) => Ok(zero.to_owned()),
        _ => Ok(text),
    }
}

/// The sign, the whole part and the decimals of a number that is written out.
fn parts(text: &str) -> (&str, &str, &str) {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    (sign, whole, rest)
}

/// A number with the separators of a language, and the decimals that it has.
pub(super) fn written(number: &Word, language: &Language) -> Result<String, String> {
    let text = match number {
        Word::Float(float) if !float.is_finite() => return Err("expected a finite number".to_owned()),
        Word::Float(float) => float.to_string(),
        Word::Int(int) => int.to_string(),
        other => return Err(format!("expected a number, got {}", other.described())),
    };
    let (sign, whole, rest) = parts(&text);
    Ok(format!("{sign}{}", language.separated(whole, rest)))
}
