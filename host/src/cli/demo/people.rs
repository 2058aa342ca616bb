//! The staff of the demo's company.

use crate::store::NewPerson;

/// Username, name, number, groups: some people for each group that the shipped rules name. The numbers, 555-0100 to
/// 555-0199, are reserved for fiction: nobody has them.
const PEOPLE: [(&str, &str, &str, &[&str]); 5] = [
    ("rudo", "Rudo Ncube", "12025550101", &["System Admins", "Technical Admin"]),
    ("tapiwa", "Tapiwa Dube", "12025550102", &["Sales Team"]),
    ("nyasha", "Nyasha Sibanda", "12025550103", &["Pfungwa Staff", "Warranty Team"]),
    ("farai", "Farai Chuma", "12025550104", &["Finance Team"]),
    ("chipo", "Chipo Mlambo", "12025550105", &["Pastoral Team"]),
];

/// The people, with each of these groups having at least one member: the first person is in all groups that would
/// have none.
pub fn people(groups: &[&str]) -> Vec<NewPerson> {
    let is_known = |group: &str| PEOPLE.iter().any(|(.., groups)| groups.contains(&group));
    let person = |(username, name, wa_id, groups): (&str, &str, &str, &[&str])| NewPerson {
        username: username.to_owned(),
        name: name.to_owned(),
        address: Some(wa_id.to_owned()),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..NewPerson::default()
    };
    let mut people: Vec<NewPerson> = PEOPLE.into_iter().map(person).collect();
    if let Some(first) = people.first_mut() {
        first.groups.extend(groups.iter().filter(|group| !is_known(group)).map(|group| (*group).to_owned()));
    }
    people
}
