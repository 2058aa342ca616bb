//! Cases of plugins: they never touch the world, say what it would answer, and keep no host from starting.

use std::{
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, routing::get};
use serde_json::json;

use super::{Folders, Stage};
use crate::harness::{SOON, create_key, http, program, wait_until};

fn run(folders: &Folders, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = program(arguments);
    command.env("HOOKSWITCH_RULES", folders.rules()).envs(folders.settings()).envs(settings.iter().copied());
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat()
}

/// A case of the plugin `asker`, which requests an address and says what came.
fn case(url: &str, given: &str, reason: &str) -> String {
    format!(
        "- name: it asks\n  http: [{given}]\n  event: {{type: ask.it, data: {{do: http, url: \"{url}\"}}}}\n  \
         expect:\n    - skip: {reason}\n"
    )
}

// The commands run beside the service.
#[tokio::test(flavor = "multi_thread")]
async fn a_case_gives_the_answers_and_nobody_is_asked() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = asked.clone();
    let answer = get(async move || {
        counting.fetch_add(1, Ordering::SeqCst);
        "from the world"
    });
    let serving = Router::new().route("/hello", answer);
    tokio::spawn(async move { axum::serve(listener, serving).await.unwrap() });

    let folders = Folders::new();
    folders.plugin(
        "asker",
        "ask.*",
        &format!("http: [\"http://{address}\"]\non_failure: skip\nlimits: {{time: 5s}}"),
    );
    let url = format!("http://{address}/hello");
    let grants = format!("asker=http://{address}");
    let private = address.to_string();
    let settings =
        [("HOOKSWITCH_PLUGIN_GRANTS", grants.as_str()), ("HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", &private)];
    let write = |given: &str, reason: &str| {
        folders.write("plugins/asker/cases/asks.yaml", case(&url, given, reason).as_bytes());
    };
    for (given, reason) in [
        (format!("{{url: \"{url}\", status: 418, body: from the case}}"), "answered 418 from the case"),
        (format!("{{url: \"{url}\", body: {{a: [1]}}}}"), "'answered 200 {\"a\":[1]}'"),
        (format!("{{url: \"{url}\", error: timeout}}"), "Timeout"),
        (format!("{{url: \"{url}\", after: 6s}}"), "Timeout"),
        (format!("{{url: \"{url}\", error: refused}}"), "connection refused"),
        (format!("{{url: \"{url}\", error: too_large}}"), "TooLarge"),
    ] {
        write(&given, reason);
        for command in [&["rules", "check"][..], &["plugin", "check", "asker"]] {
            let output = run(&folders, command, &settings);
            assert!(output.status.success(), "{given}: {}", said(&output));
        }
    }

    // What a case does not answer is an error, with the line to add.
    for (given, line) in [
        (String::new(), format!("{{method: GET, url: \"{url}\", status: 200")),
        (format!("{{method: POST, url: \"{url}\"}}"), format!("{{method: GET, url: \"{url}\", status: 200")),
    ] {
        write(&given, "no network in cases");
        let output = run(&folders, &["rules", "check"], &settings);
        assert!(output.status.code() == Some(1) && said(&output).contains(&line), "{}", said(&output));
    }
    for (given, wrong) in [
        ("{status: 200}", "`url` is missing"),
        ("{url: \"http://a\", status: 99}", "an HTTP status from 100 to 599"),
        ("{url: \"http://a\", error: lost}", "one of timeout, refused, too_large"),
        ("{url: \"http://a\", error: timeout, body: x}", "either `error` or `body`"),
        ("{url: \"http://a\", colour: red}", "colour"),
    ] {
        write(given, "x");
        let output = run(&folders, &["rules", "check"], &settings);
        assert!(
            output.status.code() == Some(1) && said(&output).contains(wrong),
            "{given}: {}",
            said(&output)
        );
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);

    // Only who says so asks the world.
    write(&format!("{{url: \"{url}\", body: from the case}}"), "answered 200 from the case");
    let event = serde_json::json!({"type": "ask.it", "data": {"do": "http", "url": url}}).to_string();
    folders.write("event.json", event.as_bytes());
    let file = folders.rules().join("../event.json").display().to_string();
    let output = run(&folders, &["rules", "try", &file], &settings);
    assert!(said(&output).contains("To send them: --network"), "{}", said(&output));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let output = run(&folders, &["rules", "try", "--network", &file], &settings);
    assert!(said(&output).contains("answered 200 from the world"), "{}", said(&output));
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    let stage = Stage::set(folders, &settings).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a host that starts asks nobody");
    let event = json!({"type": "ask.it", "data": {"do": "http", "url": url}});
    assert_eq!(stage.decided(&event).await["reason"], "answered 200 from the world");
}

#[tokio::test]
async fn cases_that_expect_failures_do_not_park_a_plugin_and_are_not_counted() {
    let folders = Folders::new();
    folders.plugin("rough", "rough.*", "on_failure: skip");
    let fails = |n: usize| {
        format!(
            "- name: failure {n}\n  event: {{type: rough.it, data: {{do: panic}}}}\n  expect:\n    - skip: I mean it\n"
        )
    };
    let cases: String = (0..7).map(fails).collect();
    folders.write("plugins/rough/cases/fails.yaml", cases.as_bytes());
    let stage = Stage::set(folders, &[]).await;
    assert!(!stage.host.said().contains("a plugin failed"), "{}", stage.host.said());
    let key = create_key(&stage.database, "desk", &["admin"]);
    let plugins = async || -> serde_json::Value {
        let answer = http().get(format!("{}/v1/plugins", stage.host.url())).bearer_auth(&key).send().await;
        answer.unwrap().json::<serde_json::Value>().await.unwrap()["data"][0].clone()
    };
    let rough = plugins().await;
    assert_eq!(
        (&rough["calls"], &rough["failures"], &rough["parked"]),
        (&json!(0), &json!(0), &json!(false))
    );

    // It is parked by what happens, and an unrelated change leaves it so.
    let event = |what: &str| json!({"type": "rough.it", "data": {"do": what}});
    for _ in 0..5 {
        stage.decided(&event("panic")).await;
    }
    assert_eq!(plugins().await["parked"], true);
    stage.folders.write("rules/notes/config.yaml", b"unrelated: 1\n");
    wait_until("new rules", SOON, async || stage.host.said().contains("new rules are live")).await;
    assert_eq!(plugins().await["parked"], true);
    assert_eq!(stage.decided(&event("nothing")).await["outcome"], "parked");
}

#[tokio::test]
async fn a_plugin_whose_cases_fail_does_not_stop_a_host_that_starts() {
    let folders = Folders::new();
    folders.plugin("wrong", "wrong.*", "on_failure: park");
    let case = |body: &str| {
        format!(
            "- name: it says\n  event: {{type: wrong.it, id: w-1, data: {{}}}}\n  expect:\n    - body_contains: [{body}]\n"
        )
    };
    folders.write("plugins/wrong/cases/says.yaml", case("something else").as_bytes());
    folders.write(
        "rules/notes/routes.yaml",
        b"- {on: right, template: note, groups: [Ops], context: {name: '\"a route\"'}}\n",
    );
    let checked = run(&folders, &["rules", "check"], &[]);
    assert_eq!(checked.status.code(), Some(1), "{}", said(&checked));

    let stage = Stage::set(folders, &[]).await;
    assert!(
        stage.host.said().contains("the plugin wrong is left out, as its cases fail"),
        "{}",
        stage.host.said()
    );
    assert_eq!(stage.decided(&json!({"type": "right", "data": {}})).await["outcome"], "notify");
    let waits = stage.decided(&json!({"type": "wrong.it", "id": "w-1", "data": {}})).await;
    assert_eq!(waits["outcome"], "parked", "{waits:#}");
    assert!(waits["reason"].as_str().unwrap().contains("its cases fail"), "{waits:#}");
    let mut check = program(&["check", "--rules"]);
    check.arg(stage.folders.rules()).envs(stage.folders.settings()).env("DATABASE_URL", stage.database.url());
    let check = said(&check.output().unwrap());
    assert!(check.contains("1 event waits for the plugin wrong"), "{check}");
    assert!(check.contains("→ hookswitch plugin resume wrong"), "{check}");
    assert!(check.contains("new hosts leave the plugin out"), "{check}");

    // Others go on changing their rules.
    stage.folders.write("rules/notes/config.yaml", b"unrelated: 1\n");
    wait_until("new rules", SOON, async || stage.host.said().contains("new rules are live")).await;
    stage.folders.write("plugins/wrong/cases/says.yaml", case("from w-1").as_bytes());
    wait_until("it is mended", SOON, async || stage.host.said().matches("new rules are live").count() == 2)
        .await;
    let mut resume = program(&["plugin", "resume", "wrong"]);
    assert!(resume.env("DATABASE_URL", stage.database.url()).output().unwrap().status.success());
    wait_until("its event is decided", SOON, async || {
        stage.host.event("w-1").await["decisions"][1]["outcome"] == "notify"
    })
    .await;

    // One that works stays as it is, whatever its cases say next.
    stage.folders.write("plugins/wrong/cases/says.yaml", case("something else").as_bytes());
    wait_until("refused", SOON, async || stage.host.said().contains("the old rules stay live")).await;
    assert_eq!(stage.decided(&json!({"type": "wrong.it", "data": {}})).await["outcome"], "notify");
}
