//! People from CSV: a header `username,name,whatsapp,groups,quiet_hours,time_zone,language`, groups separated by semicolons.
//!
//! Files come from spreadsheets: fields may be separated by commas, semicolons or tabs, the header may be in capitals, and
//! empty rows may follow. Each line is read by itself, as no value has several: a stray quote spoils its line alone.

use std::collections::HashMap;

use csv::{Reader, ReaderBuilder, StringRecord};
use hookswitch_core::{
    domain::{self, QuietHours},
    plan::recipient,
};

use super::{check_username, checked_name};
use crate::store::NewPerson;

const COLUMNS: [&str; 7] = ["username", "name", "whatsapp", "groups", "quiet_hours", "time_zone", "language"];
/// What may separate fields.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];
/// Maximum length of a line, in bytes: far more than its values may have.
const LINE_LIMIT: usize = 64 * 1024;

/// The people in a file, and what is wrong with it.
#[derive(Debug, Default)]
pub struct PeopleFile {
    /// Each person with their line, from 1.
    pub people: Vec<(u64, NewPerson)>,
    /// Invalid lines.
    pub errors: Vec<LineError>,
    /// Whether there is a column of groups.
    pub has_groups: bool,
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
pub fn read_csv(csv: &[u8]) -> PeopleFile {
    let mut file = PeopleFile::default();
    let mut lines = lines(csv).peekable();
    // Excel's own way to name the separator.
    let named = lines.next_if(|(_, line)| line.len() == 5 && line[..4].eq_ignore_ascii_case(b"sep="));
    let Some((number, header)) = lines.next() else {
        file.errors.push(LineError { line: 1, detail: "the file is empty; expected a header".to_owned() });
        return file;
    };
    let delimiter = named.map_or_else(|| delimiter_of(header), |(_, line)| line[4]);
    let header = match fields(header, delimiter) {
        Ok(header) => header.iter().map(column).collect::<Vec<String>>(),
        Err(detail) => {
            file.errors.push(LineError { line: number, detail });
            return file;
        }
    };
    file.errors.extend(wrong_columns(&header).into_iter().map(|detail| LineError { line: number, detail }));
    if !file.errors.is_empty() {
        return file;
    }
    let place = |name: &str| header.iter().position(|column| column == name);
    let columns = COLUMNS.map(place);
    file.has_groups = columns[3].is_some();
    let mut seen: HashMap<String, u64> = HashMap::new();
    for (line, text) in lines {
        let person = fields(text, delimiter).map_err(|why| vec![why]).and_then(|record| {
            if record.iter().all(str::is_empty) {
                return Ok(None);
            }
            if record.len() != header.len() {
                let fields = if record.len() == 1 { "field" } else { "fields" };
                return Err(vec![format!(
                    "has {} {fields}, but the header has {}",
                    record.len(),
                    header.len()
                )]);
            }
            let field = |place: Option<usize>| place.and_then(|place| record.get(place)).unwrap_or_default();
            person(columns.map(field)).map(Some)
        });
        match person {
            Ok(None) => {}
            Ok(Some(person)) => {
                if let Some(first) = seen.insert(person.username.clone(), line) {
                    let detail = format!("{} is already on line {first}", person.username);
                    file.errors.push(LineError { line, detail });
                }
                file.people.push((line, person));
            }
            Err(details) => {
                file.errors.extend(details.into_iter().map(|detail| LineError { line, detail }));
            }
        }
    }
    file
}

/// The lines that are not empty, with their numbers from 1, without their ends.
fn lines(csv: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    // What spreadsheets put in front of UTF-8.
    let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
    let end = if csv.contains(&b'\n') { b'\n' } else { b'\r' };
    let lines = csv.split(move |byte| *byte == end).map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    (1..).zip(lines).filter(|(_, line)| !line.is_empty())
}

/// The separator that a header uses most.
fn delimiter_of(header: &[u8]) -> u8 {
    let count = |delimiter: &u8| header.iter().filter(|byte| *byte == delimiter).count();
    // The first of those that are used equally often.
    DELIMITERS.into_iter().rev().max_by_key(count).unwrap_or(b',')
}

/// A column as it is named here: spreadsheets write `Quiet hours`.
fn column(head: &str) -> String {
    head.to_lowercase().replace([' ', '-'], "_")
}

fn wrong_columns(header: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, column) in header.iter().enumerate() {
        if !COLUMNS.contains(&column.as_str()) {
            wrong.push(format!("unknown column {column:?}; known are {}", COLUMNS.join(", ")));
        } else if header[..n].contains(column) {
            wrong.push(format!("the column {column} is listed twice"));
        }
    }
    for required in ["username", "name"].iter().filter(|name| !header.iter().any(|column| column == *name)) {
        wrong.push(format!("the column {required} is missing; the header is {}", COLUMNS.join(",")));
    }
    wrong
}

/// The fields of a line.
fn fields(line: &[u8], delimiter: u8) -> Result<StringRecord, String> {
    if line.len() > LINE_LIMIT {
        return Err(format!("has {} bytes; at most {LINE_LIMIT} are read", line.len()));
    }
    // A quote that is not closed takes in the end of the line.
    let ended = [line, b"\n"].concat();
    let mut reader: Reader<&[u8]> = ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .buffer_capacity(ended.len())
        .from_reader(&ended);
    let mut record = StringRecord::new();
    reader.read_record(&mut record).map_err(|error| in_words(&error))?;
    if record.iter().any(|field| field.contains('\n')) {
        return Err(
            "a quote (\") is opened and not closed on this line; write two for a quote in a value".to_owned()
        );
    }
    if reader.read_record(&mut StringRecord::new()).map_err(|error| in_words(&error))? {
        return Err("contains a carriage return in the middle of the line".to_owned());
    }
    record.trim();
    Ok(record)
}

fn person(
    [username, name, whatsapp, groups, quiet, zone, language]: [&str; 7],
) -> Result<NewPerson, Vec<String>> {
    let mut wrong = Vec::new();
    wrong.extend(check_username(username).err());
    let name = checked_name("name", name).map_err(|why| wrong.push(why));
    let address = match whatsapp {
        "" => None,
        text => recipient(text).map_err(|why| wrong.push(why)).ok(),
    };
    let quiet_hours = quiet_hours(quiet, zone).map_err(|why| wrong.push(why)).ok().flatten();
    let language = match language {
        "" => None,
        text => domain::language(text).map_err(|why| wrong.push(why)).ok(),
    };
    let groups = groups.split(';').map(str::trim).filter(|group| !group.is_empty());
    match name {
        Ok(name) if wrong.is_empty() => Ok(NewPerson {
            username: username.to_owned(),
            name,
            address,
            groups: groups.map(str::to_owned).collect(),
            quiet_hours,
            language,
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
        csv::ErrorKind::Utf8 { .. } => "is not valid UTF-8; save the file as CSV in UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_in_any_order() {
        let file = read_csv(
            b"\xef\xbb\xbfname,groups,username,whatsapp,quiet_hours,time_zone,language\n\"Moyo, Tendai\",Sales Team; Finance Team ,tendai,+263 77 123 4567,21:00-06:30,Africa/Harare,pt-br\nAnn,,ann,,,,\n",
        );
        assert_eq!(file.errors, []);
        let tendai = NewPerson {
            username: "tendai".to_owned(),
            name: "Moyo, Tendai".to_owned(),
            address: Some("263771234567".to_owned()),
            groups: vec!["Sales Team".to_owned(), "Finance Team".to_owned()],
            quiet_hours: QuietHours::parse("21:00-06:30", "Africa/Harare").ok(),
            language: Some("pt_BR".to_owned()),
        };
        let ann = NewPerson { username: "ann".to_owned(), name: "Ann".to_owned(), ..NewPerson::default() };
        assert_eq!(file.people, [(2, tendai), (3, ann)]);
    }

    #[test]
    fn each_wrong_line_is_named() {
        let file = read_csv(
            b"username,name,whatsapp\nann,Ann,077\nbob\nann e,,+263771234567\nzoe,Zoe,\nzoe,Zoe,\n\xff,x,\n",
        );
        let told: Vec<String> =
            file.errors.iter().map(|error| format!("{}: {}", error.line, error.detail)).collect();
        let begins = [
            "2: \"077\" begins with 0",
            "3: has 1 field, but the header has 3",
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
        let file = read_csv(b"user,name\nann,Ann\n");
        assert_eq!(file.errors.len(), 2);
        assert!(file.people.is_empty());
    }

    #[test]
    fn spreadsheets_write_it_in_their_way() {
        let ann = NewPerson {
            username: "ann".to_owned(),
            name: "Ann".to_owned(),
            groups: vec!["Ops".to_owned(), "Night Shift".to_owned()],
            quiet_hours: QuietHours::parse("21:00-06:30", "Africa/Harare").ok(),
            ..NewPerson::default()
        };
        for (line, csv) in [
            (
                2,
                "Username;NAME;Groups;Quiet hours;Time-Zone\r\nann;Ann;\"Ops;Night Shift\";21:00-06:30;Africa/Harare\r\n;;;;\r\n",
            ),
            (
                3,
                "sep=;\nusername;name;groups;quiet_hours;time_zone\nann;Ann;\"Ops; Night Shift\";21:00-06:30;Africa/Harare\n",
            ),
            (
                2,
                "username\tname\tgroups\tquiet hours\ttime zone\rann\tAnn\tOps;Night Shift\t21:00-06:30\tAfrica/Harare\r",
            ),
        ] {
            let file = read_csv(csv.as_bytes());
            assert_eq!((file.errors, file.people), (vec![], vec![(line, ann.clone())]), "{csv}");
        }
    }

    #[test]
    fn a_stray_quote_spoils_its_line_alone() {
        let file =
            read_csv(b"username,name\nann,\"Ann\nbob,Bob\nzoe,Zoe \"Z\" Dube\neve,\"Eve \"\"E\"\" Moyo\"\n");
        assert_eq!(file.errors.len(), 1, "{:?}", file.errors);
        assert!(
            file.errors[0].line == 2 && file.errors[0].detail.starts_with("a quote"),
            "{:?}",
            file.errors
        );
        let names: Vec<&str> = file.people.iter().map(|(_, person)| person.name.as_str()).collect();
        assert_eq!(names, ["Bob", "Zoe \"Z\" Dube", "Eve \"E\" Moyo"]);
    }

    #[test]
    fn a_column_is_not_named_twice() {
        let file = read_csv(b"username,Name,name\nann,Ann,Anna\n");
        assert_eq!(
            file.errors,
            [LineError { line: 1, detail: "the column name is listed twice".to_owned() }]
        );
    }
}
