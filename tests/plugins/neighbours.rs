//! A plugin that hangs, or is large, costs its neighbours nothing.

use std::time::{Duration, Instant};

use axum::{Router, routing::any};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Folders, Stage, component, forge};
use crate::harness::{SOON, program, wait_until};

/// A service that answers after the limit of every plugin.
async fn hanging() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/", any(async || tokio::time::sleep(Duration::from_secs(60)).await));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

#[tokio::test]
async fn the_largest_plugins_that_hang_leave_room_for_others() {
    let address = hanging().await;
    let folders = Folders::new();
    let more =
        format!("on_failure: skip\nhttp: [\"http://{address}\"]\nlimits: {{time: 2s, memory: 256MiB}}");
    folders.plugin("greedy", "greedy.*", &more);
    // What is accepted at most: the good component has one memory, a table or two, and some instances of its own.
    let large = forge::with_module(component(), &forge::memories_and_tables(1, 1), 3);
    let larger = forge::with_module(&large, &forge::memories_and_tables(0, 1), 10);
    let largest = forge::with_module(&larger, &forge::memories_and_tables(0, 0), 170);
    folders.write("plugins/greedy/greedy.wasm", &largest);
    folders.plugin("innocent", "good.*", "on_failure: park");
    let (grant, host) = (format!("greedy=http://{address}"), address.to_string());
    let settings =
        [("HOOKSWITCH_PLUGIN_GRANTS", grant.as_str()), ("HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", host.as_str())];
    let stage = Stage::set(folders, &settings).await;
    let hang = json!({"type": "greedy.it", "data": {"do": "http", "url": format!("http://{address}/")}});
    let hanging: Vec<Value> = vec![hang; 60];
    let good: Vec<Value> = vec![json!({"type": "good.day", "data": {}}); 20];
    let (hung, good) = tokio::join!(
        join_all(hanging.iter().map(|event| stage.decided(event))),
        join_all(good.iter().map(|event| stage.decided(event))),
    );
    assert!(good.iter().all(|decision| decision["outcome"] == "notify"), "{good:#?}");
    for decision in hung {
        let reason = decision["reason"].as_str().unwrap();
        assert!(reason.contains("Timeout"), "{decision:#}");
    }
    let said = stage.host.said();
    assert!(!said.contains("maximum concurrent limit") && !said.contains("is parked"), "{said}");
}

#[tokio::test]
async fn more_plugins_that_hang_than_there_are_threads_keep_no_other_event_waiting() {
    const PLUGINS: usize = 40;
    let address = hanging().await;
    let folders = Folders::new();
    let more = format!("on_failure: skip\nhttp: [\"http://{address}\"]\nlimits: {{time: 10s}}");
    let mut grants = Vec::new();
    for n in 0..PLUGINS {
        folders.plugin(&format!("hangs-{n}"), &format!("hang{n}.*"), &more);
        grants.push(format!("hangs-{n}=http://{address}"));
    }
    let routes = "- on: plain\n  template: note\n  groups: [Ops]\n  context: {name: event.id}\n";
    folders.write("rules/notes/routes.yaml", routes.as_bytes());
    // Compiles the component, so that no event is parked for that.
    let mut check = program(&["rules", "check", "--rules"]);
    check.arg(folders.rules()).envs(folders.settings()).output().unwrap();
    let (grants, host) = (grants.join(","), address.to_string());
    let settings =
        [("HOOKSWITCH_PLUGIN_GRANTS", grants.as_str()), ("HOOKSWITCH_PLUGIN_PRIVATE_HOSTS", host.as_str())];
    let stage = Stage::set(folders, &settings).await;
    let hanging: Vec<Value> = (0..PLUGINS * 4)
        .map(|n| {
            let data = json!({"do": "http", "url": format!("http://{address}/")});
            json!({"type": format!("hang{}.it", n % PLUGINS), "data": data})
        })
        .collect();
    let plain: Vec<Value> = vec![json!({"type": "plain", "data": {}}); 20];
    let begun = "SELECT count(*) FROM unfinished WHERE host IS NOT NULL";
    let hung = "SELECT count(*) FROM decision d JOIN event e ON e.lane = d.lane AND e.seq = d.event_seq
                WHERE e.type <> 'plain'";
    // A machine that has much else to do takes longer for all of this than plugins may hang; then it says nothing.
    for round in 0..5 {
        let began = Instant::now();
        join_all(hanging.iter().map(|event| stage.host.accept(event))).await;
        wait_until("they hang", SOON, async || stage.database.count(begun).await >= 128).await;
        let decided = join_all(plain.iter().map(|event| stage.decided(event))).await;
        assert!(decided.iter().all(|decision| decision["outcome"] == "notify"), "{decided:#?}");
        let (over, took) = (stage.database.count(hung).await, began.elapsed());
        if took < Duration::from_secs(10) {
            assert_eq!(over, round * 160, "nobody waited for these");
            return;
        }
        wait_until("none hangs", SOON, async || stage.database.count(begun).await == 0).await;
    }
    panic!("plain events were never decided while others hung");
}
