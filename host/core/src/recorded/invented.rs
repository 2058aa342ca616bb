//! Stand-ins for personal data: the same for the same value, everywhere in a case.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

/// Names of people who do not exist; further ones are numbered.
const NAMES: [&str; 12] =
    ["Ann", "Ben", "Cara", "Dan", "Eve", "Finn", "Gina", "Hugo", "Iris", "Jon", "Kim", "Lea"];
/// Keys whose values are numbers of people.
const NUMBERS: [&str; 8] =
    ["phone", "mobile", "whatsapp", "wa_id", "msisdn", "tel", "cell", "contact_number"];
/// Keys whose values are names of people.
const NAME_KEYS: [&str; 8] = [
    "first_name",
    "last_name",
    "full_name",
    "customer_name",
    "client_name",
    "contact_name",
    "recipient_name",
    "user_name",
];
/// Keys under which a `name` is that of a person.
const PEOPLE: [&str; 11] = [
    "customer",
    "client",
    "contact",
    "person",
    "user",
    "patient",
    "guest",
    "recipient",
    "employee",
    "staff",
    "assignee",
];
/// A number has so many digits (E.164), and a `+` or a key that says what it is.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// Stand-ins by what they stand for. Finding one takes as long with thousands of them as with a few.
#[derive(Debug, Default)]
struct StandIns {
    by_value: HashMap<String, String>,
    /// The lengths of the values, in bytes.
    lengths: BTreeSet<usize>,
}

impl StandIns {
    fn insert(&mut self, value: &str, by: String) {
        self.lengths.insert(value.len());
        self.by_value.insert(value.to_owned(), by);
    }

    /// The stand-in for a value; a new one if it has none.
    fn of(&mut self, value: &str, new: impl FnOnce() -> String) -> String {
        if let Some(by) = self.by_value.get(value) {
            return by.clone();
        }
        let by = new();
        self.insert(value, by.clone());
        by
    }

    /// The longest value with which a text begins, up to the end of a word: its length, and its stand-in.
    fn longest(&self, text: &str) -> Option<(usize, &String)> {
        let lengths = self.lengths.range(1..=text.len()).rev();
        let mut whole = lengths.filter(|length| {
            let after = text.get(**length..).map(|after| after.chars().next());
            after.is_some_and(|next| !next.is_some_and(is_of_word))
        });
        whole.find_map(|length| Some((*length, self.by_value.get(&text[..*length])?)))
    }
}

/// What stands in for which value.
#[derive(Debug, Default)]
pub struct Invented {
    stand_ins: StandIns,
    names: usize,
    usernames: usize,
    numbers: usize,
    user_ids: usize,
    mails: usize,
}

impl Invented {
    /// Has this username or number stand for itself: the rules have it, and not from the event.
    pub fn keep(&mut self, value: &str) {
        let is_number = !value.chars().any(char::is_alphabetic) && value.chars().any(|c| c.is_ascii_digit());
        let value = if is_number { digits(value) } else { value.to_owned() };
        self.stand_ins.insert(&value.clone(), value);
    }

    /// The stand-in for a name.
    pub fn name(&mut self, name: &str) -> String {
        let count = &mut self.names;
        self.stand_ins.of(name, || {
            *count += 1;
            NAMES.get(*count - 1).map_or_else(|| format!("Person {count}"), |name| format!("{name} Example"))
        })
    }

    /// The stand-in for a username.
    pub fn username(&mut self, username: &str) -> String {
        let count = &mut self.usernames;
        self.stand_ins.of(username, || {
            *count += 1;
            format!("person_{count}")
        })
    }

    /// The stand-in for a number, in any way of writing it, or for a user id of Meta.
    pub fn address(&mut self, address: &str) -> String {
        let digits = digits(address);
        if address.chars().any(char::is_alphabetic) {
            let count = &mut self.user_ids;
            return self.stand_ins.of(address, || {
                *count += 1;
                format!("US.{count:017}")
            });
        }
        let count = &mut self.numbers;
        // Of the range that is reserved for numbers that nobody has.
        let number = self.stand_ins.of(&digits, || {
            *count += 1;
            format!("1555010{count:04}")
        });
        if address.trim_start().starts_with('+') { format!("+{number}") } else { number }
    }

    /// The same value with stand-ins for all that is known, and for what looks like a person's: e-mail addresses, numbers
    /// with a `+`, and what stands under a key such as `phone` or `customer_name`.
    pub fn value(&mut self, value: &Value) -> Value {
        self.under("", "", value)
    }

    fn under(&mut self, parent: &str, key: &str, value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let entries = map.iter().map(|(name, value)| (name.clone(), self.under(key, name, value)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
            Value::Array(items) => items.iter().map(|item| self.under(parent, key, item)).collect(),
            Value::String(text) if is_number_key(key) && is_number(text) => self.address(text).into(),
            Value::Number(number) if is_number_key(key) && is_number(&number.to_string()) => {
                let digits = self.address(&number.to_string());
                digits.parse::<u64>().map_or_else(|_| value.clone(), Value::from)
            }
            Value::String(text) if is_name_key(parent, key) && !text.trim().is_empty() => {
                self.name(text).into()
            }
            Value::String(text) => self.text(text).into(),
            other => other.clone(),
        }
    }

    /// The same text with stand-ins for all that is known, for e-mail addresses, and for numbers with a `+`.
    pub fn text(&mut self, text: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = None;
        while let Some(first) = rest.chars().next() {
            let is_start = !before.is_some_and(is_of_word);
            let found = if is_start { self.found(rest) } else { None };
            let (length, by) = found.unwrap_or_else(|| (first.len_utf8(), first.to_string()));
            replaced.push_str(&by);
            let (done, after) = rest.split_at(length);
            (before, rest) = (done.chars().next_back(), after);
        }
        replaced
    }

    /// How long the value is with which a text begins, and what stands in for it.
    fn found(&mut self, text: &str) -> Option<(usize, String)> {
        if let Some(length) = mail(text) {
            let count = &mut self.mails;
            let by = self.stand_ins.of(&text[..length], || {
                *count += 1;
                format!("person{count}@example.com")
            });
            return Some((length, by));
        }
        if let Some(length) = international(text) {
            return Some((length, self.address(&text[..length])));
        }
        // Of two that fit the longer one is meant.
        self.stand_ins.longest(text).map(|(length, by)| (length, by.clone()))
    }
}

/// The digits of a text.
pub fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the e-mail address with which a text begins.
fn mail(text: &str) -> Option<usize> {
    let is_local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let is_domain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    // Only as far as it may be one: a text has many words.
    let (local, rest) = text.split_at(text.find(|c| !is_local(c))?);
    let after = rest.strip_prefix('@').filter(|_| !local.is_empty())?;
    let domain = &after[..after.find(|c| !is_domain(c)).unwrap_or(after.len())];
    // A full stop after it ends a sentence.
    let domain = domain.trim_end_matches(['.', '-']);
    domain.contains('.').then_some(local.len() + 1 + domain.len())
}

/// The length of the number with a `+` with which a text begins, with spaces and the like between its digits.
fn international(text: &str) -> Option<usize> {
    let digits = text.strip_prefix('+')?;
    let length = digits.find(|c: char| !c.is_ascii_digit() && !" -().".contains(c)).unwrap_or(digits.len());
    let number = digits[..length].trim_end_matches(|c: char| !c.is_ascii_digit());
    let count = number.chars().filter(char::is_ascii_digit).count();
    DIGITS.contains(&count).then_some(1 + number.len())
}

fn is_number(text: &str) -> bool {
    let rest = text.trim().trim_start_matches('+');
    let digits = rest.chars().filter(char::is_ascii_digit).count();
    DIGITS.contains(&digits) && rest.chars().all(|c| c.is_ascii_digit() || " -().".contains(c))
}

fn is_number_key(key: &str) -> bool {
    let key = key.to_lowercase();
    // Meta's id of a sending number is not a number.
    key != "phone_number_id"
        && NUMBERS.iter().any(|word| {
            key == *word || key.ends_with(&format!("_{word}")) || key.starts_with(&format!("{word}_"))
        })
}

fn is_name_key(parent: &str, key: &str) -> bool {
    let (parent, key) = (parent.to_lowercase(), key.to_lowercase());
    NAME_KEYS.contains(&key.as_str()) || (key == "name" && PEOPLE.contains(&parent.as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_value_has_one_stand_in_wherever_it_stands() {
        let mut invented = Invented::default();
        assert_eq!(invented.username("ana"), "person_1");
        assert_eq!(invented.name("Ana Souza"), "Ann Example");
        assert_eq!(invented.address("5511912345678"), "15550100001");
        assert_eq!(invented.address("+55 11 91234-5678"), "+15550100001");
        assert_eq!(invented.address("BR.13491208655302741918"), "US.00000000000000001");
        let given = json!({
            "assignee": "ana", "banana": "banana for ana, Ana Souza", "note": "call +55 (11) 91234-5678.",
            "customer": {"name": "Bia", "phone": "5511987654321", "mobile": 5_511_987_654_321_u64, "email": "b.i+a@shop.com.br."},
            "said": ["Bia wrote to b.i+a@shop.com.br."], "plan": {"name": "Gold"}, "order": "20261127001",
            "at": "2026-11-27T10:00:00+02:00", "n": 5_511_987_654_321_u64, "BR": "BR.13491208655302741918",
        });
        let expected = json!({
            "assignee": "person_1", "banana": "banana for person_1, Ann Example", "note": "call +15550100001.",
            "customer": {"name": "Ben Example", "phone": "15550100002", "mobile": 15_550_100_002_u64,
                         "email": "person1@example.com."},
            "said": ["Ben Example wrote to person1@example.com."], "plan": {"name": "Gold"}, "order": "20261127001",
            "at": "2026-11-27T10:00:00+02:00", "n": 5_511_987_654_321_u64, "BR": "US.00000000000000001",
        });
        assert_eq!(invented.value(&given), expected);
        assert_eq!(invented.value(&given), expected);
    }

    #[test]
    fn there_are_enough_names() {
        let mut invented = Invented::default();
        let names: std::collections::HashSet<String> =
            (0..30).map(|n| invented.name(&format!("name {n}"))).collect();
        assert_eq!(names.len(), 30);
        assert!(names.contains("Person 13"), "{names:?}");
    }
}
