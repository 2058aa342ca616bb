//! Who works at the demo's company.

use crate::store::NewPerson;

/// Some people for each group that the seed catalog knows. Numbers are made up.
pub const PEOPLE: &[NewPerson<'static>] = &[
    NewPerson {
        username: "rudo",
        name: "Rudo Ncube",
        wa_id: "263770000101",
        groups: &["System Admins", "Technical Admin"],
    },
    NewPerson { username: "tapiwa", name: "Tapiwa Dube", wa_id: "263770000102", groups: &["Sales Team"] },
    NewPerson {
        username: "nyasha",
        name: "Nyasha Sibanda",
        wa_id: "263770000103",
        groups: &["Pfungwa Staff", "Warranty Team"],
    },
    NewPerson { username: "farai", name: "Farai Chuma", wa_id: "263770000104", groups: &["Finance Team"] },
    NewPerson { username: "chipo", name: "Chipo Mlambo", wa_id: "263770000105", groups: &["Pastoral Team"] },
];
