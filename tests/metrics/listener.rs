//! The listener for operators.

use std::net::TcpListener;

use hookswitch_simulator::Settings;

use crate::harness::{Process, SOON, Stage, free_port, http, program, rules, wait_until};

#[tokio::test]
async fn it_serves_metrics_and_no_stranger() {
    let stage =
        Stage::builder().settings(&[("HOOKSWITCH_ADMIN_URL", "https://ops.example.org")]).start().await;
    let admin = stage.host.admin_url();
    let get = async |path: &str, host: Option<&str>| {
        let get = http().get(format!("{admin}{path}"));
        let get = match host {
            Some(host) => get.header("host", host),
            None => get,
        };
        get.send().await.unwrap()
    };
    let answer = get("/metrics", None).await;
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = answer.text().await.unwrap();
    for name in [
        "hookswitch_build_info{version=\"",
        "process_start_time_seconds ",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
        "process_max_fds ",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}: {text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");

    // A page whose name was given this address is refused, whatever it asks for.
    for (host, status) in [
        ("localhost:8422", 200),
        ("ops.example.org", 200),
        ("evil.example", 421),
        ("evil.example:8422", 421),
        ("localhost.evil.example", 421),
        ("10.0.0.7:8422", 421),
    ] {
        let answer = get("/login", Some(host)).await;
        assert_eq!(answer.status(), status, "{host}");
        let text = answer.text().await.unwrap();
        assert_eq!(text.contains("\"wrong_host\""), status == 421, "{host}: {text}");
    }
    // Prometheus asks by whatever name it finds the host.
    assert_eq!(get("/metrics", Some("host:8422")).await.status(), 200);

    // The public listener has none of it.
    assert_eq!(http().get(format!("{}/metrics", stage.host.url())).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_setting_and_off_needs_none() {
    let stage = Stage::builder().start().await;
    let holds = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holds.local_addr().unwrap().to_string();
    let listen = format!("127.0.0.1:{}", free_port());
    let serve = |admin: &str| {
        let mut serve = program(&["serve", "--listen", &listen, "--admin-listen", admin]);
        serve.envs(Settings::default().environment()).env("HOOKSWITCH_RULES", rules());
        serve.env("DATABASE_URL", stage.database.url()).env("WHATSAPP_API_URL", stage.simulator.api_url());
        serve
    };
    let output = serve(&taken).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = format!(
        "cannot listen on {taken} (--admin-listen, HOOKSWITCH_ADMIN_LISTEN; off for none): Address already in use"
    );
    assert!(said.contains(&expected), "{said}");

    let off = Process::start(serve("off"));
    wait_until("it is ready", SOON, async || {
        http().get(format!("{}/readyz", off.url())).send().await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    assert!(!off.said().contains("metrics on"), "{}", off.said());
}
