//! People from CSV: a header `username,name,whatsapp,groups,quiet_hours,time_zone`, groups separated by semicolons.

use std::collections::HashMap;

use csv::{ReaderBuilder, Trim};
use hookswitch_core::{domain::QuietHours, plan::recipient};

use super::{check_username, checked_name};
use crate::store::NewPerson;

const COLUMNS: [&str; 6] = ["username", "name", "whatsapp", "groups", "quiet_hours", "time_zone"];

/// The people in a file, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Import {
    /// Each person with their line, from 1.
    pub people: Vec<(u64, NewPerson)>,
    /// Invalid lines.
    pub errors: Vec<LineError>,
}

/// An invalid line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The number of the line, from 1.
    pub line: u64,
    /// What is wrong, in words.
    pub detail: String,
}

/// Reads CSV (RFC 4180) with a header. Columns come in any order; all but `username` and `name` are optional.
pub fn read_csv(csv: &[u8]) -> Import {
    let mut import = Import::default();
    // What spreadsheets put in front of UTF-8.
    let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(csv);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            import.errors.push(LineError { line: 1, detail: in_words(&error) });
            return import;
        }
    };
    for column in header.iter().filter(|column| !COLUMNS.contains(column)) {
        let detail = format!("unknown column {column:?}; known are {}", COLUMNS.join(", "));
        import.errors.push(LineError { line: 1, detail });
    }
    for required in ["username", "name"].iter().filter(|name| !header.iter().any(|c| c == **name)) {
        let detail = format!("the column {required} is missing; the header is {}", COLUMNS.join(","));
        import.errors.push(LineError { line: 1, detail });
    }
    if !import.errors.is_empty() {
        return import;
    }
    let place = |name: &str| header.iter().position(|column| column == name);
    let [username, name, whatsapp, groups, quiet, zone] = COLUMNS.map(place);
    let mut lines: HashMap<String, u64> = HashMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                import.errors.push(LineError { line, detail: in_words(&error) });
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let field = |place: Option<usize>| place.and_then(|place| record.get(place)).unwrap_or_default();
        let person =
            person(field(username), field(name), field(whatsapp), field(groups)).and_then(|person| {
                let quiet_hours = quiet_hours(field(quiet), field(zone)).map_err(|why| vec![why])?;
                Ok(NewPerson { quiet_hours, ..person })
            });
        match person {
            Ok(person) => {
                if let Some(first) = lines.insert(person.username.clone(), line) {
                    let detail = format!("{} is already on line {first}", person.username);
                    import.errors.push(LineError { line, detail });
                }
                import.people.push((line, person));
            }
            Err(details) => {
                import.errors.extend(details.into_iter().map(|detail| LineError { line, detail }));
            }
        }
    }
    import
}

fn person(username: &str, name: &str, whatsapp: &str, groups: &str) -> Result<NewPerson, Vec<String>> {
    let mut wrong = Vec::new();
    wrong.extend(check_username(username).err());
    let name = checked_name("name", name).map_err(|why| wrong.push(why));
    let address = match whatsapp {
        "" => None,
        text => recipient(text).map_err(|why| wrong.push(why)).ok(),
    };
    let groups = groups.split(';').map(str::trim).filter(|group| !group.is_empty());
    match name {
        Ok(name) if wrong.is_empty() => Ok(NewPerson {
            username: username.to_owned(),
            name,
            address,
            groups: groups.map(str::to_owned).collect(),
            quiet_hours: None,
        }),
        _ => Err(wrong),
    }
}

fn quiet_hours(hours: &str, zone: &str) -> Result<Option<QuietHours>, String> {
    match (hours, zone) {
        ("", "") => Ok(None),
        ("", _) => Err(format!("time_zone {zone} without quiet_hours, for example 21:00-06:30")),
        (_, "") => Err(format!("quiet_hours {hours} without a time_zone, for example Africa/Harare")),
        _ => QuietHours::parse(hours, zone).map(Some),
    }
}

fn in_words(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("has {len} fields, but the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not valid UTF-8; save the file as CSV in UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_in_any_order() {
        let import = read_csv(
            b"\xef\xbb\xbfname,groups,username,whatsapp,quiet_hours,time_zone\n\"Moyo, Tendai\",Sales Team; Finance Team ,tendai,+263 77 123 4567,21:00-06:30,Africa/Harare\nAnn,,ann,,,\n",
        );
        assert_eq!(import.errors, []);
        let tendai = NewPerson {
            username: "tendai".to_owned(),
            name: "Moyo, Tendai".to_owned(),
            address: Some("263771234567".to_owned()),
            groups: vec!["Sales Team".to_owned(), "Finance Team".to_owned()],
            quiet_hours: QuietHours::parse("21:00-06:30", "Africa/Harare").ok(),
        };
        let ann = NewPerson { username: "ann".to_owned(), name: "Ann".to_owned(), ..NewPerson::default() };
        assert_eq!(import.people, [(2, tendai), (3, ann)]);
    }

    #[test]
    fn each_wrong_line_is_named() {
        let import = read_csv(
            b"username,name,whatsapp\nann,Ann,077\nbob\nann e,,+263771234567\nzoe,Zoe,\nzoe,Zoe,\n\xff,x,\n",
        );
        let told: Vec<String> =
            import.errors.iter().map(|error| format!("{}: {}", error.line, error.detail)).collect();
        let begins = [
            "2: \"077\" begins with 0",
            "3: has 1 fields",
            "4: invalid username \"ann e\"",
            "4: name must have",
            "6: zoe is already on line 5",
            "7: is not valid UTF-8",
        ];
        assert_eq!(told.len(), begins.len(), "{told:#?}");
        for (told, begins) in told.iter().zip(begins) {
            assert!(told.starts_with(begins), "{told}");
        }
    }

    #[test]
    fn a_wrong_header_is_reported_at_once() {
        let import = read_csv(b"user,name\nann,Ann\n");
        assert_eq!(import.errors.len(), 2);
        assert!(import.people.is_empty());
    }
}
