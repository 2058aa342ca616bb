//! Who works at the demo's company.

use crate::store::NewPerson;

/// Username, name, number, groups: some people for each group that the shipped rules name. Numbers are made up.
const PEOPLE: [(&str, &str, &str, &[&str]); 5] = [
    ("rudo", "Rudo Ncube", "263770000101", &["System Admins", "Technical Admin"]),
    ("tapiwa", "Tapiwa Dube", "263770000102", &["Sales Team"]),
    ("nyasha", "Nyasha Sibanda", "263770000103", &["Pfungwa Staff", "Warranty Team"]),
    ("farai", "Farai Chuma", "263770000104", &["Finance Team"]),
    ("chipo", "Chipo Mlambo", "263770000105", &["Pastoral Team"]),
];

/// The people.
pub fn people() -> Vec<NewPerson> {
    let person = |(username, name, wa_id, groups): (&str, &str, &str, &[&str])| NewPerson {
        username: username.to_owned(),
        name: name.to_owned(),
        address: Some(wa_id.to_owned()),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        quiet_hours: None,
    };
    PEOPLE.into_iter().map(person).collect()
}
