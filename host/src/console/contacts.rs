//! What administrators do with WhatsApp users: link them to people, opt them out and in.

use axum::{
    Form,
    extract::State,
    response::{Html, Redirect},
};
use hookswitch_core::domain::OptOutScope;
use minijinja::context;
use serde::Deserialize;

use super::{
    Console, confirm::Confirmation, query::Filter, refusal::Refusal, render, session::Administrator,
};
use crate::{directory::DirectoryError, operate::Operator};

impl From<DirectoryError> for Refusal {
    fn from(error: DirectoryError) -> Refusal {
        match error {
            DirectoryError::Store(error) => error.into(),
            error => Refusal::invalid(format!("Nothing was changed: {error}.")),
        }
    }
}

/// Which contact, by number or user id, and what to do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preference {
    contact: String,
    wish: Wish,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Wish {
    #[serde(rename = "opt_out")]
    Nothing,
    #[serde(rename = "opt_out_of_marketing")]
    NoMarketing,
    #[serde(rename = "opt_in")]
    All,
}

impl Wish {
    fn name(self) -> &'static str {
        match self {
            Wish::Nothing => "opt_out",
            Wish::NoMarketing => "opt_out_of_marketing",
            Wish::All => "opt_in",
        }
    }
}

/// The page that asks whether to opt a contact out or in.
pub async fn confirm_preference(
    Administrator(viewer): Administrator,
    Filter(Preference { contact, wish }): Filter<Preference>,
) -> Result<Html<String>, Refusal> {
    let (title, line, button) = match wish {
        Wish::Nothing => {
            ("Opt a contact out", "gets no more messages, as if they had replied STOP.", "Opt out")
        }
        Wish::NoMarketing => {
            ("Opt a contact out of marketing", "gets no more messages of marketing templates.", "Opt out")
        }
        Wish::All => (
            "Opt a contact in",
            "gets messages again. Do this only if they have asked for it: they had opted out.",
            "Opt in",
        ),
    };
    let asked = Confirmation {
        title,
        lines: &[format!("{contact} {line}")],
        action: "/contacts/preference",
        fields: &[("contact", &contact), ("wish", wish.name())],
        button,
        back: "/contacts",
    };
    asked.page(&viewer)
}

/// Opts a contact out or in.
pub async fn prefer(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(Preference { contact, wish }): Form<Preference>,
) -> Result<Redirect, Refusal> {
    let by = Operator::by_console(&viewer.key);
    match wish {
        Wish::Nothing => console.operate.opt_out(&by, &contact, OptOutScope::All).await?,
        Wish::NoMarketing => console.operate.opt_out(&by, &contact, OptOutScope::Marketing).await?,
        Wish::All => console.operate.opt_in(&by, &contact).await?,
    }
    Ok(Redirect::to("/contacts"))
}

/// Which contact, by number or user id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    contact: String,
}

/// The form that asks for the person.
pub async fn ask_person(
    Administrator(viewer): Administrator,
    Filter(Named { contact }): Filter<Named>,
) -> Result<Html<String>, Refusal> {
    render::view("link_contact.html", &viewer, context! { contact })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linking {
    contact: String,
    username: String,
}

/// Links a contact to a person.
pub async fn link(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(Linking { contact, username }): Form<Linking>,
) -> Result<Redirect, Refusal> {
    let (by, username) = (Operator::by_console(&viewer.key), username.trim());
    console.operate.link_contact(&by, &contact, username).await?;
    Ok(Redirect::to(&render::segment("/people/", username)))
}
