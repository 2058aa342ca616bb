//! Posts the samples, follows each to its end, and sums up.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use console::style;
use hookswitch_simulator::Simulator;
use indicatif::ProgressBar;
use serde_json::Value;
use tokio::time::sleep;

use super::{
    samples::Sample,
    transcript::{self, Ending},
};
use crate::{check::words::count, console::Links};

/// How long a sample's messages may take to be read.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// What the samples came to.
#[derive(Default)]
pub struct Shown {
    /// The ids of the notifications that must have been read.
    expected: Vec<String>,
    /// How many messages wait for a later time.
    waiting: usize,
    /// How many decisions were collected for a digest.
    collected: usize,
    /// What went wrong, one line for each sample.
    problems: Vec<String>,
}

/// Posts the samples over HTTP, one after the other, and prints the result of each.
///
/// # Errors
/// If the host does not answer.
pub async fn show(
    host: SocketAddr,
    key: &str,
    samples: &[Sample],
    bar: &ProgressBar,
) -> anyhow::Result<Shown> {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    let mut shown = Shown::default();
    for (n, sample) in samples.iter().enumerate() {
        bar.set_message(sample.kind.clone());
        let start = Instant::now();
        let request = client.post(format!("http://{host}/v1/events")).bearer_auth(key).json(&sample.body);
        let response = request.send().await?;
        let status = response.status();
        let accepted: Value = response.json().await?;
        let Some(id) = accepted["id"].as_str().filter(|_| status.as_u16() == 202) else {
            shown.problems.push(format!("{:?} was refused with HTTP {status}: {accepted}", sample.name));
            continue;
        };
        let url = format!("http://{host}/v1/events/{id}");
        let (history, ending) = loop {
            let history: Value = client.get(&url).bearer_auth(key).send().await?.json().await?;
            let ending = transcript::ending(&history);
            if ending.is_over || start.elapsed() > PATIENCE {
                break (history, ending);
            }
            bar.set_message(format!("{}: {} of {} read", sample.kind, ending.ended, ending.notifications));
            sleep(LOOK_AGAIN).await;
        };
        bar.suspend(|| transcript::tell(n + 1, samples.len(), sample, &history, start.elapsed()));
        bar.inc(1);
        shown.add(sample, id, ending);
    }
    Ok(shown)
}

impl Shown {
    fn add(&mut self, sample: &Sample, id: &str, ending: Ending) {
        if !ending.is_over {
            let seconds = PATIENCE.as_secs();
            self.problems.push(format!("{:?} (event {id}) was not done within {seconds} s", sample.name));
        } else if !ending.reached_somebody {
            self.problems.push(format!("{:?} (event {id}) reached nobody", sample.name));
        }
        self.expected.extend(ending.expected);
        self.waiting += ending.waiting;
        self.collected += ending.collected;
    }
}

/// Prints the sum, and returns status 0 if the simulator saw every expected message read.
pub fn verdict(simulator: &Simulator, shown: &Shown) -> ExitCode {
    let read: BTreeSet<String> = simulator
        .messages()
        .into_iter()
        .filter(|message| message.statuses.iter().any(|reached| reached.status.as_str() == "read"))
        .filter_map(|message| {
            let request: Value = serde_json::from_str(message.request.get()).ok()?;
            let data = request["biz_opaque_callback_data"].as_str()?;
            data.split(':').next().map(str::to_owned)
        })
        .collect();
    let expected = shown.expected.len();
    let missing = shown.expected.iter().filter(|id| !read.contains(*id)).count();
    println!();
    for problem in &shown.problems {
        println!("{} {problem}", style("✗").red().bold());
    }
    let mut later = String::new();
    if shown.waiting > 0 {
        later += &format!("; {} waiting until later", shown.waiting);
    }
    if shown.collected > 0 {
        later += &format!("; {} collected for a digest", shown.collected);
    }
    let messages = count(expected, "message", "messages");
    if missing == 0 {
        println!("{} {messages} read{later}", style("✓").green().bold());
    } else {
        println!("{} {missing} of {messages} not read{later}", style("✗").red().bold());
    }
    if missing == 0 && shown.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints where the console is, with a link that logs in.
pub fn console(address: SocketAddr, links: &Links, key: &str) {
    if let Some(path) = links.create(key) {
        println!(
            "\n{}",
            style("Open the console (this link works once, for 60 seconds; later log in with KEY):").bold()
        );
        println!("  http://{address}{path}");
    }
}

/// Prints what to try next.
pub fn invite(
    host: SocketAddr,
    simulator: SocketAddr,
    admin: Option<SocketAddr>,
    key: &str,
    sample: Option<&Sample>,
) {
    let body = sample.map(|sample| sample.body.to_string().replace('\'', r"'\''")).unwrap_or_default();
    println!("\n{}", style("Post an event:").bold());
    println!("  KEY={key}");
    println!(
        "  curl http://{host}/v1/events -H \"Authorization: Bearer $KEY\" -H \"Content-Type: application/json\" \\"
    );
    println!("    -d '{body}'");
    println!("{}", style("See its history, and what the stand-in for WhatsApp received:").bold());
    println!("  curl http://{host}/v1/events/ID -H \"Authorization: Bearer $KEY\"");
    println!("  curl http://{simulator}/_simulator/messages");
    println!("{}", style("Make things go wrong there, or write in as a user:").bold());
    println!("  http://{simulator}/_simulator");
    if let Some(admin) = admin {
        println!("{}", style("See what a monitoring system reads:").bold());
        println!("  curl http://{admin}/metrics");
    }
    println!(
        "{}",
        style("Change a rule in rules/ and post again: it is live within two seconds. Stop with Ctrl-C.")
            .dim()
    );
}
