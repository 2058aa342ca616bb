//! Releases of rules and plugins: listed, compared, activated, taken back.

use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, Redirect},
};
use hookswitch_core::domain::LaneShare;
use minijinja::{Value, context};
use serde::Deserialize;

use super::{
    Console,
    query::{Filter, PAGE, filled},
    refusal::Refusal,
    render,
    session::{Administrator, Viewer},
    shadow,
};
use crate::{
    http::sentence,
    operate::{ActivationError, ActiveReleases, CleanLimits, HowToActivate, Operator},
    releases::{ReleaseError, short},
};

/// Maximum number of files that a page lists.
const FILES: usize = 120;
/// Maximum size of all lines that a page shows, in bytes; a file whose lines are more is only named.
const LINES: usize = 12 * 1024;
/// Maximum number of findings that a page lists.
const FINDINGS: usize = 20;
/// Maximum length of a reason, in characters.
pub(super) const REASON: usize = 1_000;

/// The releases, the newest first.
pub async fn list(viewer: Viewer, State(console): State<Console>) -> Result<Html<String>, Refusal> {
    let releases = console.operate.releases(None, PAGE).await?;
    let active = console.operate.active_releases().await?;
    let share = share(active.as_ref());
    let active = active.as_ref().map(|active| short(&active.release));
    let shadow = console.operate.last_shadow().await?;
    let values = context! {
        active, share, releases => render::value(&releases), shadow => shadow.map(|shadow| shadow::in_words(&shadow)),
    };
    render::view("releases.html", &viewer, values)
}

/// The release that decides for a share of the lanes.
fn share(active: Option<&ActiveReleases>) -> Option<Value> {
    let (release, lanes) = active?.share.as_ref()?;
    Some(context! { release => short(release), lanes => lanes.to_string() })
}

/// A release, with its files.
pub async fn show(
    viewer: Viewer,
    State(console): State<Console>,
    Path(release): Path<String>,
) -> Result<Html<String>, Refusal> {
    let mut shown = console.operate.release(&release).await.map_err(refusal)?;
    let active = console.operate.active_releases().await?;
    let of_share = active.as_ref().and_then(|active| active.share.as_ref()).is_some();
    let active = active.map(|active| active.release).filter(|active| *active != shown.release.id);
    let decides_for = LaneShare::of_lanes(shown.release.lanes).map(|lanes| lanes.to_string());
    let further = shown.files.len().saturating_sub(FILES);
    shown.files.truncate(FILES);
    let active = active.as_deref().map(short);
    let values = context! { release => render::value(&shown), active, of_share, decides_for, further };
    render::view("release.html", &viewer, values)
}

/// Which releases to compare.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Two {
    from: String,
    to: String,
}

/// What differs between two releases.
pub async fn diff(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Filter(Two { from, to }): Filter<Two>,
) -> Result<Html<String>, Refusal> {
    let mut difference = console.operate.diff_releases(&from, &to).await.map_err(refusal)?;
    let further = difference.files.len().saturating_sub(FILES / 4);
    difference.files.truncate(FILES / 4);
    difference.parts.truncate(FILES / 4);
    let mut left = LINES;
    for file in &mut difference.files {
        file.diff = file.diff.take().filter(|diff| diff.len() <= left);
        left -= file.diff.as_ref().map_or(0, String::len);
    }
    let (from, to) = (short(&difference.from), short(&difference.to));
    let values = context! { difference => render::value(&difference), from, to, further };
    render::view("release_diff.html", &viewer, values)
}

/// What to activate; without a release, the one before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    #[serde(default, deserialize_with = "filled")]
    release: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    reason: Option<String>,
    /// Whether to activate it although cases fail: present if the box was ticked.
    force: Option<String>,
    /// For what part of the subjects it decides, in percent; without it, for all.
    #[serde(default, deserialize_with = "filled")]
    share: Option<String>,
    /// Whether only if its shadow was clean: present if the box was ticked.
    when_shadow_clean: Option<String>,
}

/// The page that asks.
pub async fn confirm(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Filter(Activation { release, .. }): Filter<Activation>,
) -> Result<Html<String>, Refusal> {
    asked(&viewer, &console, release, &[]).await
}

async fn asked(
    viewer: &Viewer,
    console: &Console,
    release: Option<String>,
    findings: &[String],
) -> Result<Html<String>, Refusal> {
    let active = console.operate.active_releases().await?;
    let share = share(active.as_ref());
    let active = active.as_ref().map(|active| short(&active.release));
    let shown = match &release {
        Some(release) => Some(console.operate.release(release).await.map_err(refusal)?.release),
        None => None,
    };
    let hosts = console.operate.hosts().await?.into_iter();
    let of_folders: Vec<String> =
        hosts.filter(|host| host.alive && !host.follows).map(|host| host.name).collect();
    let values = context! {
        release => shown.map(|shown| render::value(&shown)), active, share, of_folders,
        findings => render::value(&findings),
    };
    render::view("release_activate.html", viewer, values)
}

/// Activates it; if cases fail, the page asks again and says which.
pub async fn activate(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(Activation { release, reason, force, share, when_shadow_clean }): Form<Activation>,
) -> Result<Result<Redirect, Html<String>>, Refusal> {
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON || reason.contains('\0')) {
        return Err(Refusal::invalid(format!("The reason must have at most {REASON} characters.")));
    }
    if force.is_some() && reason.is_none() {
        return Err(Refusal::invalid("Say why it is to be activated although cases fail."));
    }
    let share = in_percent(share.as_deref())?;
    let (by, why) = (Operator::by_console(&viewer.key), reason.as_deref());
    let when_clean = when_shadow_clean.map(|_| CleanLimits::default());
    let how = HowToActivate { share, is_forced: force.is_some(), reason: why, when_clean };
    let done = match &release {
        Some(release) => console.setup.activate_release(&by, release, how).await,
        None => console.operate.roll_back(&by, why).await,
    };
    match done {
        Ok(activated) => Ok(Ok(Redirect::to(&render::segment("/releases/", &activated.release.release)))),
        Err(
            ActivationError::CasesFail { findings, .. } | ActivationError::DoesNotCompile { findings, .. },
        ) => {
            let lines: Vec<String> = findings
                .findings
                .iter()
                .take(FINDINGS)
                .map(|finding| format!("{}:{}: {}", finding.file, finding.line, finding.message))
                .collect();
            asked(&viewer, &console, release, &lines).await.map(Err)
        }
        Err(error) => Err(refusal(error)),
    }
}

/// The share of the lanes that a form names.
pub(super) fn in_percent(share: Option<&str>) -> Result<Option<LaneShare>, Refusal> {
    let wrong = || Refusal::invalid("The share must be a whole number from 1 to 99.");
    let percent = |text: &str| text.parse().ok().and_then(LaneShare::of_percent).ok_or_else(wrong);
    share.map(percent).transpose()
}

pub(super) fn refusal(error: ActivationError) -> Refusal {
    match error {
        ActivationError::Unknown(_) => Refusal::unknown("No release begins with these digits."),
        ActivationError::Ambiguous(_) => Refusal::unknown("More than one release begins with these digits."),
        ActivationError::NoneBefore => {
            Refusal::new(StatusCode::CONFLICT, "No other release was active before; nothing was changed.")
        }
        ActivationError::Not(why) => {
            Refusal::new(StatusCode::CONFLICT, format!("{} Nothing was changed.", sentence(&why.to_string())))
        }
        error @ ActivationError::NotClean { .. } => Refusal::new(
            StatusCode::CONFLICT,
            format!("{} Nothing was changed.", sentence(&error.to_string())),
        ),
        ActivationError::Overtaken => Refusal::new(
            StatusCode::CONFLICT,
            "Somebody else activated a release at the same time; nothing was changed.",
        ),
        ActivationError::DoesNotCompile { .. } | ActivationError::CasesFail { .. } => {
            Refusal::new(StatusCode::CONFLICT, "The release has errors; nothing was changed.")
        }
        ActivationError::Release(ReleaseError::Store(error)) => error.into(),
        ActivationError::Release(error) => {
            tracing::error!(%error, "failed to work with a release");
            Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The release could not be read or checked; the log of the host says why.",
            )
        }
    }
}
