//! What administrators do with people and groups.

use serde_json::{Value, json};

use super::{Browser, location};
use crate::harness::Stage;

const LIST: &str =
    "username,name,whatsapp,groups\nann,Ann Moyo,,Ops\nbob,Bob,+1 555 010 0002,Ops; Night shift\n";

#[tokio::test]
async fn people_and_groups_are_added_and_changed() {
    let stage = Stage::builder().person("ann", "15550100001", &["Ops"]).start().await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await;
    let posted = async |path: &str, form: &[(&str, &str)]| {
        let answer = browser.post(path, form).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(posted("/groups/new", &[("group", "Night shift")]).await.0, 303);
    let (status, said) = posted(
        "/person/new",
        &[
            ("username", "eve"),
            ("name", "Eve"),
            ("whatsapp", "+1 555 010 0009"),
            ("groups", "Night shift; Nobody"),
        ],
    )
    .await;
    assert!(status == 400 && said.contains("unknown group &quot;Nobody&quot;"), "{status} {said}");
    let form = [
        ("username", "eve"),
        ("name", "Eve"),
        ("whatsapp", "+1 555 010 0009"),
        ("groups", "Night shift;Ops"),
    ];
    let added = browser.post("/person/new", &form).send().await.unwrap();
    assert_eq!(location(&added), "/people/eve");
    let page = browser.page("/people/eve").await;
    assert!(page.contains("15550100009") && page.contains("Night shift</a>, "), "{page}");

    // A refusal changes nothing of the person; what is not ticked or is empty is taken away.
    let (status, said) =
        posted("/people/eve/change", &[("name", "E"), ("whatsapp", "12"), ("groups", ""), ("active", "on")])
            .await;
    assert!(status == 400 && said.contains("Nothing was changed"), "{status} {said}");
    assert!(browser.page("/people/eve").await.contains("15550100009"));
    let form = [("name", "Eve Ncube"), ("whatsapp", ""), ("groups", "Ops"), ("language", "pt_BR")];
    assert_eq!(posted("/people/eve/change", &form).await.0, 303);
    let page = browser.page("/people/eve").await;
    for text in ["Eve Ncube", "deactivated: gets nothing", "not linked: gets nothing", "pt_BR"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("Night shift"), "{page}");

    let asked = browser.page("/groups/delete?group=Night%20shift").await;
    assert!(asked.contains("but not its people"), "{asked}");
    assert_eq!(posted("/groups/delete", &[("group", "Night shift")]).await.0, 303);
    assert!(!browser.page("/groups").await.contains("Night shift"));

    let log: Vec<Value> =
        stage.says(&["actions", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_console = log.iter().filter(|action| action["way"] == "console");
    let done: Vec<(&str, &Value)> =
        of_console.map(|action| (action["action"].as_str().unwrap(), &action["what"])).collect();
    assert_eq!(
        done,
        [
            ("group.delete", &json!({"group": "Night shift"})),
            ("group.remove_members", &json!({"group": "Night shift", "people": ["eve"]})),
            (
                "person.change",
                &json!({"person": "eve", "changed": ["name", "active", "whatsapp", "language"]})
            ),
            ("person.add", &json!({"person": "eve", "groups": ["Night shift", "Ops"]})),
            ("group.create", &json!({"groups": ["Night shift"]})),
        ]
    );
}

#[tokio::test]
async fn a_list_is_imported_after_it_was_shown_what_that_changes() {
    let stage = Stage::builder()
        .person("ann", "15550100001", &["Ops"])
        .person("old", "15550100003", &["Ops"])
        .start()
        .await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await;
    let import = async |form: &[(&str, &str)]| {
        let answer = browser.post("/person/import", form).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    };
    let people = "SELECT count(*) FROM person WHERE active";
    let wrong = import(&[("csv", LIST)]).await;
    assert!(wrong.contains("1 line is invalid; nothing was changed"), "{wrong}");
    assert!(wrong.contains("<th scope=\"row\">3</th><td>unknown group &quot;Night shift&quot;"), "{wrong}");
    assert!(wrong.contains("bob,Bob,+1 555 010 0002"), "what was typed is kept: {wrong}");

    stage.says(&["groups", "create", "Night shift"]);
    let form = [("csv", LIST), ("deactivate_missing", "on")];
    let shown = import(&form).await;
    assert!(
        shown.contains("Would add 1, update 1, deactivate 1; 0 unchanged. Nothing was changed yet."),
        "{shown}"
    );
    assert_eq!(stage.database.count(people).await, 2);
    let done = import(&[form[0], form[1], ("import", "yes")]).await;
    assert!(done.contains("Added 1, updated 1, deactivated 1"), "{done}");
    assert_eq!(
        stage.database.count("SELECT count(*) FROM person WHERE active AND username = 'bob'").await,
        1
    );
    assert_eq!(stage.database.count(people).await, 2);
    let log = stage.says(&["actions", "--json"]);
    assert!(log.contains("\"action\":\"people.import\""), "{log}");
}
