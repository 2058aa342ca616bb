//! Does harm, as `event.data.do` says.

use std::{fs, net::TcpStream, thread, time::Duration};

use hookswitch_sdk::{
    Answer, Decision, Event, Level,
    bindings::{exports::hookswitch::plugin::router::Guest, hookswitch::plugin::types as wit},
    http, log, skip,
};
use serde_json::Value;

fn decide(event: Event<Value>) -> Result<Answer, String> {
    let url = event.data["url"].as_str().unwrap_or_default().to_owned();
    match event.data["do"].as_str().unwrap_or_default() {
        "loop" => loop {
            std::hint::black_box(());
        },
        "sleep" => {
            thread::sleep(Duration::from_secs(3_600));
            Ok(skip("awake"))
        }
        "allocate" => {
            let mut all = Vec::new();
            loop {
                all.push(vec![1u8; 1024 * 1024]);
            }
        }
        "recurse" => Ok(skip(recurse(1).to_string())),
        "panic" => panic!("I mean it"),
        "long-log" => {
            log(Level::Info, &"x".repeat(100 * 1024 * 1024));
            Ok(skip("logged"))
        }
        "say" => {
            log(Level::Info, "hello");
            Ok(skip("said"))
        }
        "print" => {
            for _ in 0..100 {
                println!("{}", "x".repeat(10_000));
                eprintln!("{}", "y".repeat(10_000));
            }
            Ok(skip("printed"))
        }
        "forge" => {
            log(Level::Info, "a\n2026-11-26T00:00:00.000000Z ERROR forged by log");
            println!("b\r2026-11-26T00:00:00.000000Z ERROR forged by print\u{1b}[2J");
            Ok(skip("forged"))
        }
        "random" => {
            let mut list = List { place: std::ptr::null_mut(), len: 0 };
            unsafe { random_get_random_bytes(event.data["bytes"].as_u64().unwrap_or_default(), &mut list) };
            Ok(skip(format!("{} bytes", list.len)))
        }
        "fail" => Err("this event is not good".to_owned()),
        "ask-much" => {
            for n in 0..event.data["times"].as_u64().unwrap_or(1) {
                let _ = http::Request::new("POST", format!("{url}?{n}")).body("z".repeat(5_000)).send();
            }
            Ok(skip("asked"))
        }
        "long-questions" => {
            for n in 0..90 {
                let _ = hookswitch_sdk::config::<Value>(&format!("{n}{}", "k".repeat(1_000_000)));
            }
            Ok(skip("asked"))
        }
        "many-logs" => {
            for n in 0..u64::MAX {
                log(Level::Info, &format!("line {n}"));
            }
            Ok(skip("logged"))
        }
        "large-answer" => Ok(large(50 * 1024 * 1024)),
        "medium-answer" => Ok(large(1024 * 1024)),
        "many-decisions" => Ok(Answer::Notify(vec![Decision::new("note"); 1_000])),
        "huge-number" => Ok(Decision::new("note").group("Ops").var("name", f64::MAX).into()),
        "nan" => Ok(Decision::new("note").group("Ops").var("name", f64::NAN).into()),
        "questions" => {
            for n in 0..10_000 {
                let _ = hookswitch_sdk::config::<Value>(&format!("key-{n}"));
            }
            Ok(skip("asked"))
        }
        "http" => {
            match http::get(&url).header("x-key", event.data["key"].as_str().unwrap_or("none")).send() {
                Ok(answer) => {
                    Ok(skip(format!("answered {} {}", answer.status, String::from_utf8_lossy(&answer.body))))
                }
                Err(error) => Err(format!("{error:?}")),
            }
        }
        "file" => fs::read_to_string("/etc/passwd").map(skip).map_err(|error| error.to_string()),
        "socket" => {
            TcpStream::connect("127.0.0.1:80").map(|_| skip("connected")).map_err(|error| error.to_string())
        }
        "environment" => Ok(skip(format!("{:?}", std::env::vars().collect::<Vec<_>>()))),
        _ => Ok(Decision::new("note").group("Ops").var("name", event.id).into()),
    }
}

/// What wasi-libc is told: a list, as the canonical ABI gives it.
#[repr(C)]
struct List {
    place: *mut u8,
    len: usize,
}

unsafe extern "C" {
    /// wasi-libc's own import of `wasi:random/random`: getentropy(3) would ask for 256 bytes at most.
    fn random_get_random_bytes(len: u64, list: *mut List);
}

fn large(bytes: usize) -> Answer {
    Decision::new("note").group("Ops").var("name", "x".repeat(bytes)).into()
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if depth == 0 { 0 } else { std::hint::black_box(recurse(std::hint::black_box(depth + 1)) + 1) }
}

/// As `router!(decide)`, but for what the SDK cannot say.
struct Router;

impl Guest for Router {
    fn decide(event: wit::Event) -> Result<wit::Answer, wit::Failure> {
        if !event.data.contains("wrong-json") {
            return hookswitch_sdk::glue::decide(event, decide);
        }
        Ok(wit::Answer::Notify(vec![wit::Decision {
            template: "note".to_owned(),
            groups: vec!["Ops".to_owned()],
            users: Vec::new(),
            contacts: Vec::new(),
            context: "{\"name\": ".to_owned(),
            dedupe_key: None,
            send: None,
            expires_at: None,
            priority: None,
            mode: None,
            reason: None,
            hints: Vec::new(),
        }]))
    }
}

hookswitch_sdk::bindings::export!(Router with_types_in hookswitch_sdk::bindings);
