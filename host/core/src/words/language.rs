//! What differs between languages: names of months and days, separators of numbers, and which number is one.

use jiff::Zoned;
use pure_rust_locales::{Locale, locale_match};

use super::Word;

/// The country whose customs stand for a language without one, where its code is not that of the language in capitals.
#[rustfmt::skip]
const COUNTRIES: [(&str, &str); 41] = [
    ("af", "ZA"), ("ar", "EG"), ("bn", "BD"), ("ca", "ES"), ("cs", "CZ"), ("da", "DK"), ("el", "GR"), ("en", "US"),
    ("et", "EE"), ("fa", "IR"), ("fil", "PH"), ("ga", "IE"), ("gu", "IN"), ("ha", "NG"), ("he", "IL"), ("hi", "IN"),
    ("ja", "JP"), ("ka", "GE"), ("kk", "KZ"), ("kn", "IN"), ("ko", "KR"), ("lo", "LA"), ("ml", "IN"), ("mr", "IN"),
    ("ms", "MY"), ("nb", "NO"), ("pa", "IN"), ("pt", "BR"), ("sl", "SI"), ("sq", "AL"), ("sr", "RS"), ("sv", "SE"),
    ("sw", "KE"), ("ta", "IN"), ("te", "IN"), ("uk", "UA"), ("ur", "PK"), ("vi", "VN"), ("zh", "CN"), ("zu", "ZA"),
    ("uz", "UZ"),
];

/// A language, and the customs of a country where it is spoken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Language {
    /// None for a language whose names are not known.
    locale: Option<Locale>,
    /// Whether 0 has the noun of 1, as in French.
    zero_is_one: bool,
}

impl Default for Language {
    fn default() -> Self {
        Language { locale: Some(Locale::en_US), zero_is_one: false }
    }
}

impl Language {
    /// The language with a code such as `pt_BR` or `pt`.
    pub fn of(code: &str) -> Language {
        let code = code.trim().replace('-', "_");
        let (language, country) = match code.split_once('_') {
            Some((language, country)) => (language.to_ascii_lowercase(), Some(country.to_ascii_uppercase())),
            None => (code.to_ascii_lowercase(), None),
        };
        let usual = COUNTRIES.iter().find(|(known, _)| *known == language);
        let usual = usual.map_or_else(|| language.to_ascii_uppercase(), |(_, country)| (*country).to_owned());
        let countries = country.clone().into_iter().chain([usual]);
        let locale = countries.filter_map(|country| format!("{language}_{country}").parse().ok()).next();
        let zero_is_one = language == "fr" || language == "pt" && country.as_deref() != Some("PT");
        Language { locale, zero_is_one }
    }

    /// What a directive of `strftime` gives that stands for a name; digits if the name is not known.
    pub fn name(&self, directive: char, time: &Zoned) -> Option<String> {
        let (month, day) = (time.month() as usize - 1, time.weekday().to_sunday_zero_offset() as usize);
        let Some(locale) = self.locale else {
            return match directive {
                'a' | 'A' => Some(time.weekday().to_monday_one_offset().to_string()),
                'b' | 'B' | 'h' => Some(time.month().to_string()),
                _ => None,
            };
        };
        let name = match directive {
            'a' => locale_match!(locale => LC_TIME::ABDAY).get(day),
            'A' => locale_match!(locale => LC_TIME::DAY).get(day),
            'b' | 'h' => locale_match!(locale => LC_TIME::ABMON).get(month),
            'B' => locale_match!(locale => LC_TIME::MON).get(month),
            _ => None,
        };
        name.map(|name| (*name).to_owned())
    }

    /// The digits of a number with separators between groups and before the decimals.
    pub fn separated(&self, whole: &str, decimals: &str) -> String {
        let locale = self.locale.unwrap_or(Locale::en_US);
        // Those of money: glibc's for plain numbers are not those that people use everywhere.
        let group = locale_match!(locale => LC_MONETARY::MON_THOUSANDS_SEP);
        let sizes = locale_match!(locale => LC_MONETARY::MON_GROUPING);
        let mut groups: Vec<&str> = Vec::new();
        let mut rest = whole;
        let mut sizes = sizes.iter().filter_map(|size| usize::try_from(*size).ok()).filter(|size| *size > 0);
        let mut size = sizes.next().unwrap_or(whole.len());
        while rest.len() > size {
            let (before, last) = rest.split_at(rest.len() - size);
            groups.push(last);
            rest = before;
            size = sizes.next().unwrap_or(size);
        }
        groups.push(rest);
        groups.reverse();
        let mut text = groups.join(group);
        if !decimals.is_empty() {
            text.push_str(locale_match!(locale => LC_MONETARY::MON_DECIMAL_POINT));
            text.push_str(decimals);
        }
        text
    }

    /// Whether a currency stands before its amount.
    pub fn code_comes_first(&self) -> bool {
        let locale = self.locale.unwrap_or(Locale::en_US);
        locale_match!(locale => LC_MONETARY::P_CS_PRECEDES) != 0
    }

    /// Whether a number has the noun of one.
    pub fn is_one(&self, number: &Word) -> bool {
        let number = match number {
            Word::Int(int) => *int as f64,
            Word::Float(float) => *float,
            _ => return false,
        };
        if self.zero_is_one { number.abs() < 2.0 } else { number.abs() == 1.0 }
    }
}
