//! Rules that go wrong while the host runs, and rules that change while it runs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{SOON, Stage, wait_until, write_rule};

const GROUPS: &str = "- name: Ops\n  description: Operations\n";
const FRONT: &str = "---\ndescription: A test\ncategory: utility\nlanguage: en_US\n---\n";

/// A rules folder with one well-behaved route for `good`, and a script for each type `bad.NAME`.
fn rules(scripts: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "groups.yaml", GROUPS);
    write_rule(folder.path(), "good/templates/hello.j2", &format!("{FRONT}Hello {{{{ name }}}}!"));
    write_rule(
        folder.path(),
        "good/routes.yaml",
        "- on: '*'\n  template: hello\n  groups: [Ops]\n  context:\n    name: first(event.data.name, \"you\")\n",
    );
    let mut routes = String::new();
    for (name, script) in scripts {
        write_rule(folder.path(), &format!("bad/{name}.rhai"), script);
        routes.push_str(&format!("- on: bad.{name}\n  script: {name}.rhai\n"));
    }
    if !routes.is_empty() {
        write_rule(folder.path(), "bad/routes.yaml", &routes);
    }
    folder
}

async fn stage(rules: &Path) -> Stage {
    Stage::in_folder(rules)
        .simulator(&["--window", "off", "--unknown-templates"])
        .person("ann", "15550100001", &["Ops"])
        .start()
        .await
}

impl Stage {
    /// Posts an event and waits until the rules have decided.
    async fn decisions(&self, event: &Value) -> Vec<Value> {
        let id = self.host.accept(event).await;
        wait_until("it is routed", SOON, async || self.host.event(&id).await["routed"] == true).await;
        self.host.event(&id).await["decisions"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_script_that_goes_wrong_is_recorded_and_harms_nobody() {
    let rules = rules(&[
        ("throws", "fn decide(event) {\n    throw \"no stock\";\n}"),
        ("loops", "fn decide(event) {\n    loop { }\n}"),
        ("text", "fn decide(event) {\n    let t = \"x\";\n    loop { t += t; }\n}"),
        (
            "map",
            "fn decide(event) {\n    let m = #{};\n    let i = 0;\n    loop { m[`k${i}`] = i; i += 1; }\n}",
        ),
        ("shape", "fn decide(event) {\n    #{ template: \"hello\", groups: 7 }\n}"),
        ("number", "fn decide(event) {\n    42\n}"),
        ("template", "fn decide(event) {\n    #{ template: \"helo\", groups: [\"Ops\"] }\n}"),
        (
            "group",
            "fn decide(event) {\n    #{ template: \"hello\", groups: [\"Opps\"], context: #{ name: 1 } }\n}",
        ),
        (
            "undefined",
            "fn decide(event) {\n    #{ template: \"hello\", groups: [\"Ops\"], context: #{ nam: 1 } }\n}",
        ),
    ]);
    let stage = stage(rules.path()).await;
    let expected = [
        ("throws", "failed", "bad/throws.rhai:2", "no stock"),
        ("loops", "failed", "bad/loops.rhai:", "endless loop"),
        ("text", "failed", "bad/text.rhai:", ""),
        ("map", "failed", "bad/map.rhai:", ""),
        ("shape", "failed", "bad/shape.rhai", "groups"),
        ("number", "failed", "bad/number.rhai", "expected"),
        ("template", "failed", "helo", "did you mean hello"),
        ("group", "nobody", "the group Opps does not exist", ""),
        ("undefined", "failed", "good/templates/hello.j2:6", "did you mean `nam`"),
    ];
    for (name, outcome, place, words) in expected {
        let decisions = stage.decisions(&json!({"type": format!("bad.{name}"), "data": {}})).await;
        let [bad, good] = decisions.as_slice() else { panic!("{name}: {decisions:?}") };
        let reason = bad["reason"].as_str().unwrap_or_default();
        assert_eq!(bad["outcome"], outcome, "{name}: {bad}");
        assert!(reason.contains(place) && reason.contains(words), "{name}: {reason}");
        assert_eq!(bad["notifications"], json!([]), "{name}");
        assert_eq!(good["outcome"], "notify", "{name}: the route beside it decides");
    }
}

#[tokio::test]
async fn an_event_that_no_route_knows_is_recorded_as_such() {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "groups.yaml", GROUPS);
    let stage = stage(folder.path()).await;
    let decisions = stage.decisions(&json!({"type": "no.such", "data": {}})).await;
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0]["outcome"], "no_route");
    assert_eq!(decisions[0]["reason"], "no route matches the type no.such");
}

#[tokio::test]
async fn a_folder_dropped_in_is_live_and_a_broken_one_is_not() {
    let folder = rules(&[]);
    let stage = stage(folder.path()).await;
    let release = async || {
        let decisions = stage.decisions(&json!({"type": "stock.low", "data": {}})).await;
        (decisions.len(), decisions[0]["release"].as_str().unwrap().to_owned())
    };
    let (count, first) = release().await;
    assert_eq!(count, 1);

    // Half written: the old rules stay.
    write_rule(folder.path(), "stock/routes.yaml", "- on: stock.low\n  template: [");
    let said = || stage.host.said();
    wait_until("the host tells what is wrong", SOON, async || said().contains("stock/routes.yaml")).await;
    assert_eq!(release().await, (1, first.clone()));

    write_rule(folder.path(), "stock/templates/stock.j2", &format!("{FRONT}Low!"));
    write_rule(folder.path(), "stock/routes.yaml", "- on: stock.low\n  template: stock\n  groups: [Ops]\n");
    wait_until("it is live", SOON, async || release().await.0 == 2).await;
    let (_, second) = release().await;
    assert_ne!(second, first);

    // A case that fails keeps a change from going live.
    write_rule(
        folder.path(),
        "stock/cases/low.yaml",
        "- name: it fails\n  event: {type: stock.low}\n  expect:\n    - no_route: true\n",
    );
    wait_until("the case's failure is told", SOON, async || said().contains("stock/cases/low.yaml")).await;
    assert_eq!(release().await, (2, second));
}
