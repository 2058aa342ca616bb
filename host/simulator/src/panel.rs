//! A page to play with in a browser: what came, what is to go wrong, and a user who writes in.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Knobs, ReceivedMessage, Simulator};

/// Where the page is.
pub const PATH: &str = "/_simulator";
/// Messages on the page.
const SHOWN: usize = 20;

/// What can be made to happen.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Trouble {
    LoseWebhooks,
    LoseAnswers,
    CloseWindows,
    Throttle,
    Slow,
}

impl Trouble {
    const ALL: [Trouble; 5] = [
        Trouble::LoseWebhooks,
        Trouble::LoseAnswers,
        Trouble::CloseWindows,
        Trouble::Throttle,
        Trouble::Slow,
    ];

    /// The form's value, and what the page says.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Trouble::LoseWebhooks => {
                ("lose_webhooks", "Lose all webhooks: nobody hears what became of a message")
            }
            Trouble::LoseAnswers => ("lose_answers", "Take messages and never answer: they become unknown"),
            Trouble::CloseWindows => ("close_windows", "Answer 131047 to all: the 24-hour window has closed"),
            Trouble::Throttle => ("throttle", "Answer 130429 to half: too many messages, try again later"),
            Trouble::Slow => ("slow", "Answer after 5 seconds"),
        }
    }

    fn is_on(self, knobs: &Knobs) -> bool {
        let answers = |code| knobs.errors.iter().any(|fault| fault.code == Some(code));
        match self {
            Trouble::LoseWebhooks => knobs.webhooks_lost > 0.0,
            Trouble::LoseAnswers => knobs.lost_answers > 0.0,
            Trouble::CloseWindows => answers(131_047),
            Trouble::Throttle => answers(130_429),
            Trouble::Slow => knobs.latency_ms > 0,
        }
    }

    /// The knobs that turn it on, or off.
    fn knobs(self, on: bool) -> Value {
        let all = if on { 1.0 } else { 0.0 };
        let errors = |fault: Value| if on { json!({ "errors": [fault] }) } else { json!({ "errors": [] }) };
        match self {
            Trouble::LoseWebhooks => json!({ "webhooks_lost": all }),
            Trouble::LoseAnswers => json!({ "lost_answers": all }),
            Trouble::CloseWindows => errors(json!({ "code": 131_047 })),
            Trouble::Throttle => errors(json!({ "code": 130_429, "probability": 0.5 })),
            Trouble::Slow => json!({ "latency_ms": if on { 5_000 } else { 0 } }),
        }
    }
}

/// A form of the page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    trouble: Option<Trouble>,
    /// Whether the trouble begins; it ends otherwise.
    on: Option<bool>,
    /// Who writes in.
    from: Option<String>,
    text: Option<String>,
}

/// The page.
pub async fn show(State(simulator): State<Simulator>) -> Html<String> {
    let (knobs, last) = {
        let state = simulator.state();
        let mut last: Vec<ReceivedMessage> = state.messages(0).collect();
        let beginning = last.len().saturating_sub(SHOWN);
        (state.knobs.clone(), last.split_off(beginning))
    };
    let troubles: String = Trouble::ALL.iter().map(|trouble| form(*trouble, &knobs)).collect();
    let messages: String = last.iter().rev().map(row).collect();
    let from = last.last().map(|message| escaped(&message.to)).unwrap_or_default();
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<title>WhatsApp simulator</title><style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 1rem auto; padding: 0 1rem }}
form {{ margin: .3rem 0 }} td, th {{ text-align: left; padding: .2rem .6rem; vertical-align: top }} .on {{ font-weight: bold }}</style>
<h1>WhatsApp simulator</h1><p>It stands in for Meta: nothing leaves this machine. <a href=\"{PATH}\">Reload</a></p>
<h2>Make things go wrong</h2>{troubles}
<h2>Write in as a user</h2><form method=\"post\" action=\"{PATH}\"><label>Number <input name=\"from\" value=\"{from}\" required></label>
<label>Text <input name=\"text\" value=\"Hello\" required></label> <button>Write in</button> (opens the 24-hour window; STOP opts out)</form>
<h2>The last messages</h2><table><thead><tr><th>At</th><th>To</th><th>Type</th><th>Text</th><th>Status</th></tr></thead><tbody>{messages}</tbody></table></html>"
    ))
}

/// Does what a form asks for, and shows the page again.
pub async fn act(State(simulator): State<Simulator>, wish: Result<Form<Wish>, FormRejection>) -> Response {
    let done = wish.map_err(|error| error.body_text()).and_then(|Form(wish)| match wish {
        Wish { trouble: Some(trouble), on, from: None, text: None } => {
            let mut state = simulator.state();
            state.knobs = state.knobs.with(&trouble.knobs(on.unwrap_or(false)))?;
            Ok(())
        }
        Wish { trouble: None, on: None, from: Some(from), text: Some(text) } => {
            simulator.inbound(&from, "A user", &text).map(drop)
        }
        _ => Err("nothing that is known was asked for".to_owned()),
    });
    simulator.wake();
    match done {
        Ok(()) => Redirect::to(PATH).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Html(format!("<p>{}</p>", escaped(&error)))).into_response(),
    }
}

fn form(trouble: Trouble, knobs: &Knobs) -> String {
    let ((value, words), is_on) = (trouble.words(), trouble.is_on(knobs));
    let (class, button) = if is_on { ("on", "Stop it") } else { ("", "Do it") };
    format!(
        "<form method=\"post\" action=\"{PATH}\"><input type=\"hidden\" name=\"trouble\" value=\"{value}\">\
         <input type=\"hidden\" name=\"on\" value=\"{}\"><button>{button}</button> <span class=\"{class}\">{words}</span></form>",
        !is_on
    )
}

fn row(message: &ReceivedMessage) -> String {
    let request: Value = serde_json::from_str(message.request.get()).unwrap_or_default();
    let text = ["/text/body", "/interactive/body/text", "/template/name"]
        .into_iter()
        .find_map(|place| request.pointer(place)?.as_str())
        .unwrap_or_default();
    let status = message.statuses.last().map_or("accepted", |reached| reached.status.as_str());
    format!(
        "<tr><td>{:.0}</td><td>{}</td><td>{}</td><td>{}</td><td>{status}</td></tr>",
        message.received_at,
        escaped(&message.to),
        escaped(&message.kind),
        escaped(text)
    )
}

/// A text within HTML, or within quotes of it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
