//! `hookswitch simulate`: a stand-in for Meta's WhatsApp Cloud API.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use hookswitch_simulator::{Enforcement, Fault, Knobs, Limits, Settings, Simulator, WebhookShape};
use tokio::net::TcpListener;

use super::failure::Failure;
use crate::{config::LogConfig, telemetry};

/// The arguments of `hookswitch simulate`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "A knob that lists errors takes objects with these members, all optional but one of the first two: \
                       code (Meta's), http_status, probability (0 to 1), next (how many sends), to (digits or user id), \
                       webhook (accept the message, report the error in a webhook), taken (deliver the message, and answer \
                       with the error). Example:\n\n  \
                       curl -X POST http://127.0.0.1:8421/_simulator/knobs -H 'content-type: application/json' \\\n    \
                       -d '{\"errors\": [{\"code\": 131026, \"probability\": 0.05}, {\"code\": 130429, \"next\": 3}]}'",
    long_about = "Run a simulator of Meta's WhatsApp Cloud API\n\nIt accepts messages, media and templates as Meta does, \
                  posts signed webhooks, and lists under /_simulator what it received. Everything is kept in memory."
)]
pub struct SimulateArgs {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8421")]
    listen: SocketAddr,

    /// URL to post webhooks to, verified first as Meta does; without it, none are posted
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,

    /// Id of the sending number
    #[arg(long, value_name = "ID", default_value = "106540352242922")]
    phone_number_id: String,

    /// Another sending number (repeatable)
    #[arg(long = "number", value_name = "ID=DIGITS", value_parser = number)]
    numbers: Vec<(String, String)>,

    /// Digits of the sending number
    #[arg(long, value_name = "DIGITS", default_value = "15550783881")]
    display_phone_number: String,

    /// Id of the WhatsApp Business Account
    #[arg(long, value_name = "ID", default_value = "102290129340398")]
    business_account_id: String,

    /// Access token that requests must carry
    #[arg(long, value_name = "TOKEN", default_value = "simulator-access-token")]
    access_token: String,

    /// Secret that signs webhooks
    #[arg(long, value_name = "SECRET", default_value = "simulator-app-secret")]
    app_secret: String,

    /// Token sent to verify the webhook URL
    #[arg(long, value_name = "TOKEN", default_value = "simulator-verify-token")]
    verify_token: String,

    /// Maximum messages per second, per number; above it, sends fail with 130429
    #[arg(long, value_name = "RATE", default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..))]
    messages_per_second: u32,

    /// Messaging limit to report, for example TIER_250
    ///
    /// It says how many users may be messaged in 24 hours outside their windows. It is not enforced, as Meta documents no
    /// error for it.
    #[arg(long, value_name = "TIER", default_value = "TIER_UNLIMITED")]
    messaging_limit: String,

    /// No limit per second and none per recipient
    ///
    /// The limit per recipient is a burst of 45, then one message every 6 seconds; above it, sends fail with 131056.
    #[arg(long, conflicts_with = "messages_per_second")]
    unlimited: bool,

    /// Number of messages to keep for listing
    #[arg(long, value_name = "COUNT", default_value_t = 200_000)]
    keep: usize,

    /// Seed of the random faults, to repeat them
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    #[command(flatten)]
    knobs: KnobArgs,

    #[command(flatten)]
    logs: LogConfig,
}

/// Initial values of the knobs. These and more can be changed at run time with `POST /_simulator/knobs`; `GET` shows all.
#[derive(Args, Debug)]
#[command(next_help_heading = "Knobs (changed at run time with POST /_simulator/knobs; GET shows all)")]
struct KnobArgs {
    /// Milliseconds before each response to a send
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,

    /// Milliseconds from a send to sent
    #[arg(long, value_name = "MS", default_value_t = 20)]
    sent_after: u64,

    /// Milliseconds from sent to delivered
    #[arg(long, value_name = "MS", default_value_t = 40)]
    delivered_after: u64,

    /// Milliseconds from delivered to read
    #[arg(long, value_name = "MS", default_value_t = 80)]
    read_after: u64,

    /// Fail sends with an error code of Meta: CODE (all), CODE:0.05 (a fraction) or CODE:x3 (the next 3) (repeatable)
    #[arg(long, value_name = "CODE[:WHEN]")]
    error: Vec<Fault>,

    /// Fraction of sends that are accepted but get no response
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    lost_answers: f64,

    /// Fraction of status updates without a webhook
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    webhooks_lost: f64,

    /// Fraction of status updates whose webhook is 2 seconds late
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    webhooks_late: f64,

    /// Fraction of status updates whose webhook comes twice
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    webhooks_doubled: f64,

    /// Fraction of status updates whose webhook comes after later ones of the same message
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    webhooks_reordered: f64,

    /// Fraction of messages that are read at once, without a webhook for delivered
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    no_delivered: f64,

    /// How webhooks name users: by number (2025), number and user id (2026), or user id alone
    #[arg(long, value_enum, default_value_t = WebhookShape::V2026)]
    webhook_shape: WebhookShape,

    /// Maximum number of status updates per webhook (Meta's maximum is 1000)
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    webhook_batch: usize,

    /// How free-form messages outside the 24-hour window fail (131047)
    #[arg(long, value_enum, default_value = "sync")]
    window: Enforcement,

    /// Accept sends of templates that were never created
    #[arg(long)]
    unknown_templates: bool,
}

impl From<KnobArgs> for Knobs {
    fn from(args: KnobArgs) -> Self {
        Knobs {
            latency_ms: args.latency,
            sent_after_ms: args.sent_after,
            delivered_after_ms: args.delivered_after,
            read_after_ms: args.read_after,
            errors: args.error,
            lost_answers: args.lost_answers,
            webhooks_lost: args.webhooks_lost,
            webhooks_late: args.webhooks_late,
            webhooks_doubled: args.webhooks_doubled,
            webhooks_reordered: args.webhooks_reordered,
            no_delivered: args.no_delivered,
            webhook_shape: args.webhook_shape,
            webhook_batch: args.webhook_batch,
            window: args.window,
            unknown_templates: args.unknown_templates,
            ..Knobs::default()
        }
    }
}

/// Runs the simulator until Ctrl-C or SIGTERM. The first line of its output is its URL.
///
/// # Errors
/// If a knob is out of range, or it cannot listen on the address.
pub async fn run(args: SimulateArgs) -> anyhow::Result<ExitCode> {
    telemetry::init(&args.logs)?;
    let knobs = Knobs::from(args.knobs);
    knobs.check().map_err(Failure::usage)?;
    let limits = if args.unlimited {
        Limits::unlimited()
    } else {
        Limits { messages_per_second: Some(args.messages_per_second), ..Limits::default() }
    };
    let settings = Settings {
        phone_number_id: args.phone_number_id,
        more_numbers: args.numbers,
        messaging_limit: args.messaging_limit,
        display_phone_number: args.display_phone_number,
        waba_id: args.business_account_id,
        access_token: args.access_token,
        app_secret: args.app_secret,
        verify_token: args.verify_token,
        webhook_url: args.webhook_url,
        knobs,
        limits: Limits { keep_messages: args.keep, ..limits },
        seed: args.seed,
        ..Settings::default()
    };
    let listener =
        TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    println!("listening on http://{}", listener.local_addr()?);
    Simulator::new(settings).serve(listener, stopped()).await.context("the simulator ended")?;
    Ok(ExitCode::SUCCESS)
}

fn number(text: &str) -> Result<(String, String), String> {
    let (id, digits) = text.split_once('=').ok_or("expected ID=DIGITS")?;
    Ok((id.to_owned(), digits.to_owned()))
}

/// Ends with Ctrl-C or SIGTERM.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
