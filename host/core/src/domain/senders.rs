//! Sending numbers.

use std::collections::BTreeMap;

/// The sending numbers, by Meta's ids: the default one, and others by the names that rules use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    usual: String,
    named: BTreeMap<String, String>,
    /// Accepts any name, for checking rules without settings.
    any: bool,
}

impl Senders {
    /// Parses `106540352242922,sales=106540352242923`: the first is the default one, each further one has a name.
    ///
    /// # Errors
    /// If it is not valid.
    pub fn parse(text: &str) -> Result<Senders, String> {
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        let wrong = |part: &str| {
            format!(
                "expected the id of the sending number (WhatsApp Manager, API setup), then any others with a name, for \
                 example 106540352242922,sales=106540352242923, got {part:?}"
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
                return Err(format!("duplicate name {:?}", name.trim()));
            }
        }
        Ok(senders)
    }

    /// A single number.
    pub fn only(phone_number_id: &str) -> Senders {
        Senders { usual: phone_number_id.to_owned(), ..Senders::default() }
    }

    /// Accepts any name, for checking rules without a host's settings.
    pub fn any() -> Senders {
        Senders { usual: "1".to_owned(), any: true, ..Senders::default() }
    }

    /// Id of the default number.
    pub fn usual(&self) -> &str {
        &self.usual
    }

    /// Id of the number with this name; that of the default number without a name.
    ///
    /// # Errors
    /// If the name is unknown.
    pub fn get(&self, name: Option<&str>) -> Result<&str, String> {
        let Some(name) = name.filter(|_| !self.any) else { return Ok(&self.usual) };
        self.named.get(name).map(String::as_str).ok_or_else(|| {
            let known: Vec<&str> = self.named.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "no others".to_owned() } else { known.join(", ") };
            format!("unknown sending number {name:?}; WHATSAPP_PHONE_NUMBER_ID names {known}")
        })
    }

    /// All ids, the default one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let named = self.named.values().map(String::as_str).filter(|id| *id != self.usual);
        [self.usual.as_str()].into_iter().chain(named)
    }

    /// The names that rules use for the number with this id, sorted.
    pub fn names_of(&self, id: &str) -> Vec<&str> {
        self.named.iter().filter(|(_, of)| *of == id).map(|(name, _)| name.as_str()).collect()
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
        assert_eq!((senders.names_of("107"), senders.names_of("106")), (vec!["sales"], vec![]));
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
