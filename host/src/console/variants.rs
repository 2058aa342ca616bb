//! A template: its languages side by side.

use axum::{
    extract::{Path, State},
    response::Html,
};
use minijinja::{Value, context};

use super::{Console, bubble::faces, refusal::Refusal, render, session::Viewer};
use crate::operate::TemplateVariant;

/// Maximum number of languages that are shown with their texts.
const SHOWN: usize = 8;
/// Characters of the texts of all of them.
const TEXTS: usize = 12_000;

/// The page of a template.
pub async fn show(
    viewer: Viewer,
    State(console): State<Console>,
    Path(name): Path<String>,
) -> Result<Html<String>, Refusal> {
    let variants = console.setup.template_variants(&name).await?;
    let mut room = TEXTS;
    let shown: Vec<Value> = variants.iter().take(SHOWN).map(|of| variant(of, &mut room)).collect();
    let others =
        variants.iter().skip(SHOWN).map(|of| of.language.as_str()).take(60).collect::<Vec<_>>().join(", ");
    let description = variants.first().map(|of| of.description.as_str());
    let page = context! { name, description, variants => shown, others };
    render::view("template.html", &viewer, page)
}

/// A variant with its texts, as long as there is room for them.
fn variant(of: &TemplateVariant, room: &mut usize) -> Value {
    let TemplateVariant { language, is_fallback, file, message, report, .. } = of;
    let (mut shown, mut why) = (Vec::new(), None);
    match message {
        Ok(message) => shown = faces(message),
        Err(reason) => why = Some(reason.clone()),
    }
    shown.retain(|face| {
        let size = face.body.len().min(*room + 1);
        let fits = size <= *room;
        *room = room.saturating_sub(size);
        fits
    });
    if shown.is_empty() && why.is_none() {
        why = Some("the page has no room for its text".to_owned());
    }
    let versions = report.as_ref().map(|report| &report.versions[..report.versions.len().min(3)]);
    context! {
        language, fallback => is_fallback, file, faces => render::value(&shown), why,
        state => report.as_ref().map(|report| report.state.as_str()), versions => render::value(&versions),
    }
}
