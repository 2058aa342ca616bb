//! `hookswitch simulate`: a stand-in for Meta's WhatsApp Cloud API.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use hookswitch_simulator::{Enforcement, Fault, Knobs, Limits, Settings, Simulator, WebhookShape};
use tokio::net::TcpListener;

use crate::{config::LogConfig, telemetry};

/// Stands in for Meta's WhatsApp Cloud API: takes messages and templates as Meta does, posts signed webhooks,
/// and shows under /_simulator what it received. All in memory.
#[derive(Args, Debug)]
pub struct SimulateArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8421")]
    listen: SocketAddr,

    /// Where to post webhooks; the address is verified first, as Meta does. Without it, none are posted.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,

    /// The sending number, by its id.
    #[arg(long, value_name = "ID", default_value = "106540352242922")]
    phone_number_id: String,

    /// Another sending number, as ID=DIGITS; give it several times for several.
    #[arg(long = "number", value_name = "ID=DIGITS", value_parser = number)]
    numbers: Vec<(String, String)>,

    /// The sending number, in digits.
    #[arg(long, value_name = "DIGITS", default_value = "15550783881")]
    display_phone_number: String,

    /// The WhatsApp Business Account, by its id.
    #[arg(long, value_name = "ID", default_value = "102290129340398")]
    waba_id: String,

    /// The token that requests must bear.
    #[arg(long, value_name = "TOKEN", default_value = "simulator-access-token")]
    access_token: String,

    /// Signs the webhooks.
    #[arg(long, value_name = "SECRET", default_value = "simulator-app-secret")]
    app_secret: String,

    /// Shown to the webhook's address when it is verified.
    #[arg(long, value_name = "TOKEN", default_value = "simulator-verify-token")]
    verify_token: String,

    /// Messages per second of the number; over it, 130429.
    #[arg(long, value_name = "RATE", default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..))]
    messages_per_second: u32,

    /// What Meta says of how many users may be written to in 24 hours outside their windows, such as TIER_250. It is
    /// told, and not enforced: Meta documents no error for it.
    #[arg(long, value_name = "TIER", default_value = "TIER_UNLIMITED")]
    messaging_limit: String,

    /// No limit per second, none for one recipient (45 at once, then one in 6 seconds; over it, 131056).
    #[arg(long, conflicts_with = "messages_per_second")]
    unlimited: bool,

    /// How many messages are kept to be listed.
    #[arg(long, value_name = "COUNT", default_value_t = 200_000)]
    keep: usize,

    /// Makes the faults below fall the same way each time.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,

    #[command(flatten)]
    knobs: KnobArgs,

    #[command(flatten)]
    logs: LogConfig,
}

/// The knobs that are set at the start. These and more can be changed while it runs, with
/// `POST /_simulator/knobs`; `GET` shows them all.
#[derive(Args, Debug)]
#[command(
    next_help_heading = "Knobs (POST /_simulator/knobs changes them while it runs, GET shows them all)"
)]
struct KnobArgs {
    /// Milliseconds before each answer to a send.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,

    /// Milliseconds from a send to `sent`.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    sent_after: u64,

    /// Milliseconds from `sent` to `delivered`.
    #[arg(long, value_name = "MS", default_value_t = 40)]
    delivered_after: u64,

    /// Milliseconds from `delivered` to `read`.
    #[arg(long, value_name = "MS", default_value_t = 80)]
    read_after: u64,

    /// Sends answered with an error of Meta's: CODE (all), CODE:0.05 (a fraction) or CODE:x3 (the next three).
    /// May be given more than once.
    #[arg(long, value_name = "CODE[:WHEN]")]
    error: Vec<Fault>,

    /// Fraction of sends that are taken but never answered.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    lost_answers: f64,

    /// Fraction of updates that no webhook tells.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    webhooks_lost: f64,

    /// Fraction of updates that webhooks tell two seconds late.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    webhooks_late: f64,

    /// Fraction of updates that webhooks tell twice.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    webhooks_doubled: f64,

    /// Fraction of updates that webhooks tell only after the message's later ones.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    webhooks_reordered: f64,

    /// Fraction of messages that are read at once, so that no webhook says `delivered`.
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    no_delivered: f64,

    /// How webhooks name users: by number (2025), number and user id (2026), or user id alone.
    #[arg(long, value_enum, default_value_t = WebhookShape::V2026)]
    webhook_shape: WebhookShape,

    /// Updates in one webhook POST, at most, up to Meta's 1000. Some clients read only the first.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    webhook_batch: usize,

    /// How free-form messages outside of the user's 24-hour window fail (131047): refused, taken and failed
    /// by webhook, or not at all.
    #[arg(long, value_enum, default_value = "sync")]
    window: Enforcement,

    /// Takes sends of templates that were never created.
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

/// Runs the simulator until Ctrl-C or SIGTERM. The first line on stdout says where it listens.
///
/// # Errors
/// When a knob is out of range or the address cannot be listened on.
pub async fn run(args: SimulateArgs) -> anyhow::Result<ExitCode> {
    telemetry::init(&args.logs)?;
    let knobs = Knobs::from(args.knobs);
    knobs.check().map_err(anyhow::Error::msg)?;
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
        waba_id: args.waba_id,
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
        TcpListener::bind(args.listen).await.with_context(|| format!("listen on {}", args.listen))?;
    println!("listening on http://{}", listener.local_addr()?);
    Simulator::new(settings).serve(listener, stopped()).await.context("serve the simulator")?;
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
