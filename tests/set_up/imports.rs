//! `people import`: files as spreadsheets write them, what would change, and who is taken out.

use serde_json::{Value, json};

use super::Office;
use crate::harness::{create_key, http};

/// Imports this text with these flags: what it prints, and what it warns of.
fn import(office: &Office, csv: &str, flags: &[&str]) -> (bool, String, String) {
    let file = office.rules.path().parent().unwrap().join(format!("staff-{}.csv", uuid()));
    std::fs::write(&file, csv).unwrap();
    let path = file.to_str().unwrap().to_owned();
    let output = office.run(&[&["people", "import", &path], flags].concat());
    std::fs::remove_file(&file).unwrap();
    (output.status.success(), super::text(&output.stdout), super::text(&output.stderr))
}

fn uuid() -> String {
    format!("{}-{:?}", std::process::id(), std::thread::current().id()).replace(['(', ')'], "")
}

async fn staffed() -> Office {
    let office = Office::open().await;
    office.write("groups.yaml", "- name: Ops\n- name: Sales\n");
    office.does(&["groups", "create-defaults"]);
    let csv =
        "username,name,whatsapp,groups\nann,Ann,+263771234567,Ops; Sales\nbob,Bob,,Sales\neve,Eve,,Ops\n";
    let (done, said, _) = import(&office, csv, &[]);
    assert!(done && said == "Added 3 people, updated 0 people.\n", "{said}");
    office
}

#[tokio::test]
async fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let office = staffed().await;
    let before = office.does(&["people", "list"]);
    // As Excel writes it in many countries.
    let csv = "Username;NAME;WhatsApp;Groups;Quiet hours;Time zone\r\n\
               ann;Ann Moyo;+263771234568;\"Ops\";21:00-06:30;Africa/Harare\r\n\
               bob;Bob;;Sales;;\r\n\
               zoe;Zoe;+263 77 123 4568;\"Ops;Sales\";;\r\n;;;;;\r\n";
    let flags = ["--dry-run", "--exact-groups", "--deactivate-missing"];
    let (done, said, warned) = import(&office, csv, &flags);
    assert!(done, "{warned}");
    insta::assert_snapshot!(said, @r#"
    add zoe to Ops, Sales
    update ann: name "Ann" to "Ann Moyo"; WhatsApp +263771234567 to +263771234568; quiet hours none to 21:00-06:30 Africa/Harare; removed from Sales
    deactivate eve
    Would add 1 person, update 1 person, deactivate 1 person; 1 person is unchanged. Nothing was changed.
    "#);
    assert!(warned.contains("the same WhatsApp number is linked to ann, zoe;"), "{warned}");
    assert_eq!(office.does(&["people", "list"]), before);

    let (done, said, _) = import(&office, csv, &flags[1..]);
    assert!(done);
    assert_eq!(
        said,
        "Added 1 person, updated 1 person, deactivated 1 person; 1 person is unchanged.\nDeactivated: eve\n"
    );
    insta::assert_snapshot!(office.does(&["people", "list"]), @r"
    USERNAME  NAME      ACTIVE  WHATSAPP       WINDOW       GROUPS      LANGUAGE  QUIET HOURS
    ann       Ann Moyo  yes     +263771234568  never wrote  Ops                   21:00-06:30 Africa/Harare
    bob       Bob       yes     not linked                  Sales
    eve       Eve       no      not linked                  Ops
    zoe       Zoe       yes     +263771234568  never wrote  Ops, Sales
    ");

    // Without the flags nobody is taken out, and nobody comes back by themselves.
    let (done, said, warned) = import(&office, "username,name\neve,Eve\n", &[]);
    assert!(done && said == "Added 0 people, updated 0 people; 1 person is unchanged.\n", "{said}");
    assert!(warned.contains("deactivated and receive nothing: eve;"), "{warned}");
}

#[tokio::test]
async fn nobody_is_taken_out_by_a_file_that_cannot_mean_it() {
    let office = staffed().await;
    let before = office.does(&["people", "list"]);
    let (done, _, why) = import(&office, "username,name\nann,Ann\n", &["--exact-groups"]);
    assert!(!done && why.contains("the file has no column groups"), "{why}");
    let (done, _, why) = import(&office, "username,name,groups\n", &["--deactivate-missing"]);
    assert!(!done && why.contains("the file names nobody"), "{why}");
    let wrong = "username,name,groups\nann,\"Ann,Ops\nbob,Bob,Opps\nzoe,Zoe,Ops\n";
    let (done, _, why) = import(&office, wrong, &["--exact-groups", "--deactivate-missing"]);
    assert!(!done && why.contains("line 2: a quote (\") is opened and not closed"), "{why}");
    assert!(why.contains("line 3: unknown group \"Opps\"; did you mean `Ops`?"), "{why}");
    assert!(!why.contains("line 4"), "{why}");
    assert_eq!(office.does(&["people", "list"]), before);
}

#[tokio::test]
async fn the_same_is_there_over_http() {
    let office = staffed().await;
    let host = office.host();
    let key = create_key(&office.database, "desk", &["admin"]);
    let import = async |query: &str, csv: &'static str| {
        let url = format!("{}/v1/people/import{query}", host.url());
        let request = http().post(url).bearer_auth(&key).header("content-type", "text/csv");
        let response = request.body(csv).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let csv = "username,name,groups\nann,Ann,Ops\nbob,Bob,Sales\nzoe,Zoe,\n";
    let query = "?dry_run=true&exact_groups=true&deactivate_missing=true";
    let (status, dry) = import(query, csv).await;
    let expected = json!({
        "added": 1, "updated": 1, "unchanged": 1, "deactivated": 1, "inactive": [], "shared": [],
        "changes": [
            {"username": "zoe", "change": "added"},
            {"username": "ann", "change": "updated", "details": ["removed from Sales"]},
            {"username": "eve", "change": "deactivated"},
        ],
    });
    assert_eq!((status, &dry), (200, &expected));
    assert_eq!(office.database.count("SELECT count(*) FROM person WHERE active").await, 3);
    let (_, done) = import("?exact_groups=true&deactivate_missing=true", csv).await;
    assert_eq!(done, expected);
    assert_eq!(office.database.count("SELECT count(*) FROM person WHERE active").await, 3);
    assert_eq!(office.database.count("SELECT count(*) FROM membership").await, 3);
    let (status, problem) = import("?dry-run=true", csv).await;
    assert_eq!(status, 400, "{problem}");
}
