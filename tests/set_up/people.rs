//! People, groups and contacts on the command line.

use std::fs;

use serde_json::json;

use super::Office;
use crate::harness::{SOON, wait_until};

#[tokio::test]
async fn people_are_added_linked_and_deactivated() {
    let office = Office::open().await;
    assert!(office.does(&["groups", "create-defaults"]).contains("Ops    created"));
    assert!(office.does(&["groups", "create-defaults"]).contains("Ops    existed"));
    office.does(&["people", "add", "ann", "--name", "Ann Moyo", "--whatsapp", "+263 77 123 4567"]);
    assert!(
        office.refuses(&["people", "add", "ann", "--name", "Other"]).contains("the username ann is taken")
    );
    assert!(office.refuses(&["people", "add", "a b", "--name", "Other"]).contains("invalid username"));
    assert!(office.refuses(&["people", "link", "ann", "0771234567"]).contains("begins with 0"));
    assert!(office.refuses(&["people", "link", "bob", "+263771234567"]).contains("no person named bob"));
    assert!(office.refuses(&["groups", "add", "Opps", "ann"]).contains("did you mean `Ops`?"));
    assert!(office.refuses(&["groups", "add", "Ops", "ann", "bob"]).contains("no person named bob"));
    assert!(office.does(&["groups", "list"]).contains("Ops    0        0"), "all or none");
    office.does(&["groups", "add", "Ops", "ann"]);
    office.does(&["people", "rename", "ann", "Ann Dube"]);
    assert!(office.refuses(&["people", "rename", "ann", " "]).contains("1 to 150 characters"));
    office.does(&["people", "deactivate", "ann"]);
    insta::assert_snapshot!(office.does(&["people", "list"]), @r"
    USERNAME  NAME      ACTIVE  WHATSAPP       WINDOW       GROUPS  LANGUAGE  QUIET HOURS
    ann       Ann Dube  no      +263771234567  never wrote  Ops
    ");
    office.does(&["people", "activate", "ann"]);
    office.does(&["people", "unlink", "ann"]);
    office.does(&["groups", "remove", "Ops", "ann"]);
    insta::assert_snapshot!(office.does(&["people", "list"]), @r"
    USERNAME  NAME      ACTIVE  WHATSAPP    WINDOW  GROUPS  LANGUAGE  QUIET HOURS
    ann       Ann Dube  yes     not linked
    ");
    assert!(office.does(&["contacts", "list", "--unlinked"]).contains("+263771234567"));
}

#[tokio::test]
async fn who_wrote_in_can_be_linked_under_either_number() {
    let office = Office::open().await;
    let _host = office.host();
    // Stored as Brazilians write it; WhatsApp knows the user without the ninth digit.
    office.does(&["people", "add", "rui", "--name", "Rui", "--whatsapp", "+55 41 98888-7777"]);
    office.simulator.inbound(&json!({"from": "554188887777", "name": "Rui", "text": "oi"})).await;
    let open = "SELECT count(*) FROM person p JOIN contact c ON c.id = p.contact_id
                WHERE c.wa_id = '554188887777' AND c.last_inbound_at IS NOT NULL";
    wait_until("the person's contact has the number seen", SOON, async || {
        office.database.count(open).await == 1
    })
    .await;
    // And the other way round: who wrote in under one number is found by the other.
    office.simulator.inbound(&json!({"from": "5215512345678", "name": "Eva", "text": "hola"})).await;
    let known = "SELECT count(*) FROM contact WHERE wa_id = '5215512345678'";
    wait_until("the contact is known", SOON, async || office.database.count(known).await == 1).await;
    office.does(&["people", "add", "eva", "--name", "Eva"]);
    let linked = office.does(&["people", "link", "eva", "+52 55 1234 5678"]);
    assert!(linked.contains("+5215512345678. Their 24-hour window is open until"), "{linked}");
    assert_eq!(office.database.count("SELECT count(*) FROM contact").await, 2);
}

#[tokio::test]
async fn an_import_is_all_or_nothing_and_names_each_wrong_line() {
    let office = Office::open().await;
    office.does(&["groups", "create-defaults"]);
    let file = office.rules.path().parent().unwrap().join(format!("people-{}.csv", std::process::id()));
    let path = file.to_str().unwrap();
    fs::write(
        &file,
        "username,name,whatsapp,groups\nann,Ann,077,Ops\nbob,Bob,,Opps\nzoe,Zoe,+263771234567,Ops\n",
    )
    .unwrap();
    let refused = office.refuses(&["people", "import", path]);
    assert!(refused.contains("line 2: \"077\" begins with 0"), "{refused}");
    assert!(refused.contains("line 3: unknown group \"Opps\"; did you mean `Ops`?"), "{refused}");
    assert_eq!(office.database.count("SELECT count(*) FROM person").await, 0);
    fs::write(&file, "username,name,whatsapp,groups\nann,Ann,,Ops\nzoe,Zoe,+263771234567,Ops\n").unwrap();
    assert!(office.does(&["people", "import", path]).contains("Added 2 people, updated 0 people."));
    let quiet = "username,name,quiet_hours,time_zone\nzoe,Zoe Dube,21:00-06:30,";
    fs::write(&file, quiet).unwrap();
    assert!(
        office.refuses(&["people", "import", path]).contains("quiet_hours 21:00-06:30 without a time_zone")
    );
    fs::write(&file, format!("{quiet}Africa/Harare\n")).unwrap();
    assert!(office.does(&["people", "import", path]).contains("Added 0 people, updated 1 person."));
    fs::remove_file(&file).unwrap();
    insta::assert_snapshot!(office.does(&["people", "list", "--group", "Ops"]), @r"
    USERNAME  NAME      ACTIVE  WHATSAPP       WINDOW       GROUPS  LANGUAGE  QUIET HOURS
    ann       Ann       yes     not linked                  Ops
    zoe       Zoe Dube  yes     +263771234567  never wrote  Ops               21:00-06:30 Africa/Harare
    ");
}
