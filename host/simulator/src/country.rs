//! The country of a phone number.

use phonenumber::metadata::DATABASE;

/// What ISO 3166 leaves to its users, and libphonenumber uses for "unknown".
const UNKNOWN: &str = "ZZ";

/// The two letters of the country that gives out a number, `ZZ` where no country is known for it.
///
/// A number that no numbering plan knows (555 numbers, for example) belongs to the main country of its calling code.
pub fn country(digits: &str) -> &'static str {
    if digits.starts_with('0') {
        return UNKNOWN;
    }
    // No calling code begins with another one.
    let regions = (1..=3).find_map(|length| {
        let code = digits.get(..length)?.parse::<u16>().ok()?;
        DATABASE.region(&code)
    });
    let Some(regions) = regions else { return UNKNOWN };
    let main = regions.first().copied().filter(|region| is_country(region)).unwrap_or(UNKNOWN);
    if regions.len() == 1 {
        return main;
    }
    // Shared codes, for example +1: the number itself tells.
    let number = phonenumber::parse(None, format!("+{digits}")).ok();
    let region = number.as_ref().and_then(|number| number.metadata(&DATABASE)).map(|region| region.id());
    region.filter(|region| is_country(region)).unwrap_or(main)
}

/// Not `001`, the region of satellite phones and the like.
fn is_country(region: &str) -> bool {
    region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_country_that_gives_them_out() {
        let numbers = [
            ("16505551234", "US"),
            ("15550783881", "US"),
            ("16137827274", "CA"),
            ("13459492311", "KY"),
            ("263771234567", "ZW"),
            ("5541988887777", "BR"),
            ("4915112345678", "DE"),
            ("77011234567", "KZ"),
            ("79161234567", "RU"),
            ("447400123456", "GB"),
            ("447781123456", "GG"),
            ("393471234567", "IT"),
            ("918888888888", "IN"),
        ];
        for (number, expected) in numbers {
            assert_eq!(country(number), expected, "{number}");
        }
    }

    #[test]
    fn what_no_country_gives_out_has_none() {
        // Satellite phones, a code that nobody has, and no digits at all.
        for number in ["870773111632", "9991234567", "0123456", ""] {
            assert_eq!(country(number), "ZZ", "{number}");
        }
    }
}
