//! People from a CSV file: what it would change is shown first.

use axum::{Form, extract::State, response::Html};
use minijinja::{Value, context};
use serde::Deserialize;

use super::{Console, refusal::Refusal, render, session::Administrator};
use crate::{
    directory::{DirectoryError, differences},
    operate::Operator,
    store::{ImportOptions, Imported},
};

/// Maximum number of lines of a list on the page.
const SHOWN: usize = 50;

/// The form.
pub async fn ask(Administrator(viewer): Administrator) -> Result<Html<String>, Refusal> {
    render::view("import.html", &viewer, context! { csv => "" })
}

/// What the form says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    csv: String,
    /// Whether the box is ticked.
    exact_groups: Option<String>,
    deactivate_missing: Option<String>,
    /// Whether what was shown is to be done.
    import: Option<String>,
}

/// Shows what would change, or changes it.
pub async fn import(
    Administrator(viewer): Administrator,
    State(console): State<Console>,
    Form(fields): Form<Fields>,
) -> Result<Html<String>, Refusal> {
    let Fields { csv, exact_groups, deactivate_missing, import } = fields;
    if csv.contains('\0') {
        return Err(Refusal::invalid("The text contains the character U+0000; it must be CSV."));
    }
    let (exact, missing) = (exact_groups.is_some(), deactivate_missing.is_some());
    let options =
        ImportOptions { dry_run: import.is_none(), exact_groups: exact, deactivate_missing: missing };
    let directory = console.operate.directory(&Operator::by_console(&viewer.key));
    match directory.import(csv.as_bytes(), options, &mut |_| {}).await {
        Ok(imported) => {
            let result = shown(&imported);
            let is_done = import.is_some();
            render::view("import.html", &viewer, context! { csv, exact, missing, result, is_done })
        }
        Err(DirectoryError::Lines(errors)) => {
            let count = errors.len();
            let errors: Vec<Value> = errors
                .iter()
                .take(SHOWN)
                .map(|error| context! { line => error.line, detail => error.detail.as_str() })
                .collect();
            render::view("import.html", &viewer, context! { csv, exact, missing, errors, count })
        }
        Err(error) => Err(error.into()),
    }
}

/// What an import changes, for the page.
fn shown(imported: &Imported) -> Value {
    let Imported { added, updated, unchanged, deactivated, inactive, shared } = imported;
    let add = added.iter().map(|person| ("add", person.username.clone(), person.groups.join(", ")));
    let update = updated
        .iter()
        .map(|(before, after)| ("update", after.username.clone(), differences(before, after).join("; ")));
    let deactivate = deactivated.iter().map(|username| ("deactivate", username.clone(), String::new()));
    let changes: Vec<Value> = add
        .chain(update)
        .chain(deactivate)
        .take(SHOWN)
        .map(|(change, username, details)| context! { change, username, details })
        .collect();
    let all = added.len() + updated.len() + deactivated.len();
    context! {
        further => all.saturating_sub(changes.len()), changes, added => added.len(), updated => updated.len(),
        deactivated => deactivated.len(), unchanged => *unchanged,
        inactive => inactive.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "),
        shared => shared.iter().take(SHOWN).map(|people| people.join(", ")).collect::<Vec<_>>(),
    }
}
