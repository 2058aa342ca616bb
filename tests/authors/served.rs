//! A live host: its files change, its events come in, and what is wrong stays alone.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::{FRONT, GROUPS, watched::resident, write};
use crate::harness::{Database, Host, SOON, Simulator, free_port, wait_until};

async fn host(database: &Database, rules: &Path) -> (Simulator, Host) {
    let port = free_port();
    let simulator = Simulator::start(port, &["--window", "off", "--unknown-templates"]);
    let host = Host::start(port, database, &simulator, rules, &[]);
    database.add_person("ann", "15550100001", &["Ops"]).await;
    (simulator, host)
}

async fn decisions(host: &Host, event: &Value) -> Vec<Value> {
    let id = host.accept(event).await;
    wait_until("it is routed", SOON, async || host.event(&id).await["routed"] == true).await;
    host.event(&id).await["decisions"].as_array().unwrap().clone()
}

fn rules(folder: &Path) {
    write(folder, "groups.yaml", GROUPS);
    write(folder, "good/templates/hello.j2", format!("{FRONT}Hello!"));
    write(folder, "good/routes.yaml", "- on: good\n  template: hello\n  groups: [Ops]\n");
}

#[tokio::test]
async fn events_of_hostile_rules_fail_alone() {
    let folder = tempfile::tempdir().unwrap();
    rules(folder.path());
    let unfold = "let s = event.data.text; let a = []; a.pad(1500, 0); for i in 0..1500 { a[i] = s; } ";
    let scripts = [
        ("chain", "let q = [1]; loop { let v = q.pop(); q.push(|y| v); }".to_owned()),
        ("curry", "let q = [1]; for i in 0..60000 { q += Fn(\"g\").curry(q.pop()); }".to_owned()),
        ("skip", format!("{unfold} skip(a)")),
        ("text", format!("{unfold} `${{a}}`")),
        ("throw", format!("{unfold} throw a")),
    ];
    let mut routes = String::new();
    for (name, body) in &scripts {
        let script = format!("fn g(x) {{ x }}\nfn decide(event) {{ {body} }}");
        write(folder.path(), &format!("bad/{name}.rhai"), script);
        routes.push_str(&format!("- on: bad.{name}\n  script: {name}.rhai\n"));
    }
    let templates = [
        ("cycle", "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}"),
        ("list", "{% set a = [text] %}{{ a * 99999999 }}"),
    ];
    for (name, body) in templates {
        write(folder.path(), &format!("bad/templates/{name}.j2"), format!("{FRONT}{body}"));
        routes.push_str(&format!(
            "- on: bad.{name}\n  template: {name}\n  groups: [Ops]\n  context: {{text: '\"x\"'}}\n"
        ));
    }
    write(folder.path(), "bad/routes.yaml", routes);
    let database = Database::create().await;
    let (_simulator, host) = host(&database, folder.path()).await;
    let text = "x".repeat(200_000);
    for name in scripts.iter().map(|(name, _)| *name).chain(["cycle", "list"]) {
        let decisions =
            decisions(&host, &json!({"type": format!("bad.{name}"), "data": {"text": text}})).await;
        let reason = decisions[0]["reason"].as_str().unwrap_or_default();
        assert!(
            ["failed", "skip"].contains(&decisions[0]["outcome"].as_str().unwrap()),
            "{name}: {decisions:?}"
        );
        assert!(reason.chars().count() <= 1_000 && !reason.is_empty(), "{name}: {reason}");
    }
    assert_eq!(decisions(&host, &json!({"type": "good", "data": {}})).await[0]["outcome"], "notify");
    let peak = resident(host.id());
    assert!(peak < 500, "the host had {peak} MiB");
}

#[tokio::test]
async fn hostile_files_do_not_go_live_and_the_host_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    rules(folder.path());
    let database = Database::create().await;
    let (_simulator, host) = host(&database, folder.path()).await;
    for (file, text) in [
        ("bad/config.yaml", format!("\u{feff}{}y\n", "- ".repeat(5_000))),
        ("bad/routes.yaml", format!("# c\r{}y\n", "- ".repeat(20_000))),
        ("bad/templates/long.j2", format!("{FRONT}{{{{ text{} }}}}", ".b".repeat(10_000))),
        ("bad/cases/c.yaml", format!("x: {}{}{}", "&a [".repeat(60), "0,".repeat(400_000), "]".repeat(60))),
        ("bad/s.rhai", format!("fn decide(event) {{ {}1", "[".repeat(100_000))),
    ] {
        write(folder.path(), file, text);
        wait_until("the host tells what is wrong", Duration::from_secs(60), async || {
            host.said().contains(file)
        })
        .await;
        assert_eq!(
            decisions(&host, &json!({"type": "good", "data": {}})).await[0]["outcome"],
            "notify",
            "{file}"
        );
        std::fs::remove_file(folder.path().join(file)).unwrap();
    }
    let peak = resident(host.id());
    assert!(peak < 500, "the host had {peak} MiB");
}
