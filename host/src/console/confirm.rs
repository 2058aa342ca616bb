//! The page that asks before something is done.

use axum::response::Html;
use minijinja::context;
use serde::Serialize;

use super::{refusal::Refusal, render, session::Viewer};

/// What is asked.
#[derive(Debug, Serialize)]
pub struct Confirmation<'a> {
    /// What is going to be done.
    pub title: &'a str,
    /// What it is done to, and what follows.
    pub lines: &'a [String],
    /// The path that the form is posted to.
    pub action: &'a str,
    /// What the form says.
    pub fields: &'a [(&'a str, &'a str)],
    /// The title of the button.
    pub button: &'a str,
    /// Where to go instead.
    pub back: &'a str,
}

impl Confirmation<'_> {
    /// The page.
    pub fn page(&self, viewer: &Viewer) -> Result<Html<String>, Refusal> {
        render::view("confirm.html", viewer, context! { asked => render::value(self) })
    }
}
