//! The numbers that messages are sent from.

use std::collections::BTreeMap;

/// The sending numbers, by Meta's ids: the usual one, and others by the names that rules use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    usual: String,
    named: BTreeMap<String, String>,
    /// Rules are looked at apart from the settings: any name will do.
    any: bool,
}

impl Senders {
    /// Reads `106540352242922,sales=106540352242923`: the first is the usual one, each other has a name.
    ///
    /// # Errors
    /// What is wrong, and what was expected.
    pub fn parse(text: &str) -> Result<Senders, String> {
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        let wrong = |part: &str| {
            format!(
                "expected the digits of Meta's id of the sending number (WhatsApp Manager, API setup), and after it \
                 any others with a name, such as 106540352242922,sales=106540352242923; got {part:?}"
            )
        };
        let mut parts = text.split(',').map(str::trim);
        let usual = parts.next().filter(|id| is_id(id)).ok_or_else(|| wrong(text))?;
        let mut senders = Senders { usual: usual.to_owned(), named: BTreeMap::new(), any: false };
        for part in parts {
            let (name, id) = part.split_once('=').ok_or_else(|| wrong(part))?;
            if name.trim().is_empty() || !is_id(id.trim()) {
                return Err(wrong(part));
            }
            if senders.named.insert(name.trim().to_owned(), id.trim().to_owned()).is_some() {
                return Err(format!("the name {:?} is given twice", name.trim()));
            }
        }
        Ok(senders)
    }

    /// One number.
    pub fn only(phone_number_id: &str) -> Senders {
        Senders { usual: phone_number_id.to_owned(), ..Senders::default() }
    }

    /// For rules that are looked at apart from a host's settings: each name is one.
    pub fn any() -> Senders {
        Senders { usual: "1".to_owned(), any: true, ..Senders::default() }
    }

    /// The usual one.
    pub fn usual(&self) -> &str {
        &self.usual
    }

    /// The one with this name; the usual one where there is none.
    ///
    /// # Errors
    /// Which names there are.
    pub fn get(&self, name: Option<&str>) -> Result<&str, String> {
        let Some(name) = name.filter(|_| !self.any) else { return Ok(&self.usual) };
        self.named.get(name).map(String::as_str).ok_or_else(|| {
            let known: Vec<&str> = self.named.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("unknown sending number {name:?}; WHATSAPP_PHONE_NUMBER_ID names {known}")
        })
    }

    /// All ids, the usual one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let named = self.named.values().map(String::as_str).filter(|id| *id != self.usual);
        [self.usual.as_str()].into_iter().chain(named)
    }

    /// Whether there is more than one.
    pub fn are_several(&self) -> bool {
        !self.named.is_empty()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_the_usual_one_and_the_others_have_names() {
        let senders = Senders::parse("106, sales=107,support=108").unwrap();
        assert_eq!(senders.get(None).unwrap(), "106");
        assert_eq!(senders.get(Some("sales")).unwrap(), "107");
        assert_eq!(senders.ids().collect::<Vec<_>>(), ["106", "107", "108"]);
        assert!(senders.get(Some("sails")).unwrap_err().ends_with("names sales, support"));
        assert!(!Senders::parse("106").unwrap().are_several());
    }

    #[test]
    fn what_is_no_list_of_numbers_is_refused() {
        for text in ["", "sales=107", "106,107", "106,=107", "106,sales=", "+106", "106,a=1,a=2"] {
            assert!(Senders::parse(text).is_err(), "{text}");
        }
    }
}
