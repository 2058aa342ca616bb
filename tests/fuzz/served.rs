//! Webhooks and events, posted to the built program.

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use hookswitch_simulator::Settings;
use libtest_mimic::Failed;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use sha2::Sha256;

use crate::harness::{Database, Host, Simulator, free_port, http, rules};

const EVENTS: &[&str] = &[
    r#"{"type":"order.created","data":{"order":{"number":1042,"amount":150,"customer":{"name":"Ann"}}}}"#,
    r#"{"specversion":"1.0","id":"1","source":"/shop","type":"job_card.created","time":"2026-01-05T09:00:00Z","data":{"a":[1,2]}}"#,
    r#"[{"type":"a.b","data":{}},{"type":"a.b","data":null}]"#,
];
const WEBHOOKS: &[&str] = &[
    r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1"},"contacts":[{"profile":{"name":"Ann"},"wa_id":"15550100001"}],"messages":[{"from":"15550100001","id":"wamid.1","timestamp":"1700000000","type":"text","text":{"body":"STOP"}}]}}]}]}"#,
    r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1"},"statuses":[{"id":"wamid.1","status":"failed","timestamp":"1700000000","recipient_id":"15550100001","biz_opaque_callback_data":"x:1","errors":[{"code":131047,"title":"Re-engagement"}]}]}}]}]}"#,
];
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "null",
    "1e999",
    "-0",
    "\\u0000",
    "\\ud800",
    "99999999999999999999",
    "\u{1b}[2J",
    "[[[[",
    "{\"a\":",
    "true",
    "é",
    "\0",
    "\n",
    " ",
    "\"id\":\"1\"",
    "\"type\":1",
];

/// A body with some bytes changed, left out or repeated.
fn changed(random: &mut StdRng, bodies: &[&str]) -> Vec<u8> {
    let mut body = bodies.choose(random).unwrap().as_bytes().to_vec();
    for _ in 0..random.random_range(0..5) {
        let (one, other) = (random.random_range(0..=body.len()), random.random_range(0..=body.len()));
        let (from, to) = (one.min(other), one.max(other));
        match random.random_range(0..4) {
            0 => drop(body.drain(from..to.min(from + 20))),
            1 => {
                let part = body[from..to].repeat(random.random_range(0..20));
                drop(body.splice(from..from, part));
            }
            _ => {
                let piece = PIECES.choose(random).unwrap();
                let many = if random.random_bool(0.05) { 5_000 } else { 1 };
                drop(body.splice(from..from, piece.repeat(many).into_bytes()));
            }
        }
        body.truncate(1_000_000);
    }
    body
}

/// Posts until the time is over: each answer is one that a client can cause, and the host lives on.
fn post(seed: u64, time: Duration, bodies: &'static [&'static str], webhook: bool) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let database = Database::create().await;
        let port = free_port();
        let simulator = Simulator::start(port, &["--window", "off", "--unknown-templates"]);
        let host = Host::start(port, &database, &simulator, &rules(), &[]);
        let (started, mut tried) = (Instant::now(), 0_u64);
        while started.elapsed() < time || tried == 0 {
            let seed = seed.wrapping_add(tried);
            let body = changed(&mut StdRng::seed_from_u64(seed), bodies);
            let answer = if webhook {
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(Settings::default().app_secret.as_bytes()).unwrap();
                mac.update(&body);
                let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
                let request = http().post(format!("{}/webhooks/whatsapp", host.url()));
                request.header("x-hub-signature-256", signature).body(body.clone()).send().await
            } else {
                host.post(body.clone(), "application/json").await
            };
            let shown = || String::from_utf8_lossy(&body[..body.len().min(2_000)]).into_owned();
            let answer =
                answer.map_err(|error| format!("seed {seed}: {error}\n{}\n{}", shown(), host.said()))?;
            if answer.status().is_server_error() {
                return Err(format!("seed {seed}: {}\n{}", answer.status(), shown()).into());
            }
            tried += 1;
        }
        println!("{tried} bodies");
        Ok(())
    })
}

pub fn webhooks(seed: u64, time: Duration) -> Result<(), Failed> {
    post(seed, time, WEBHOOKS, true)
}

pub fn events(seed: u64, time: Duration) -> Result<(), Failed> {
    post(seed, time, EVENTS, false)
}
