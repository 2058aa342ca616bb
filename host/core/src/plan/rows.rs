//! The rows of a list: compiled, checked, and rendered for a message.

use std::collections::HashSet;

use minijinja::{Environment, Value as Rendered};

use super::{
    field::{Field, Reader, split},
    front::FrontRow,
    header::cut,
};
use crate::domain::{Row, Section};

/// Maximum number of rows of a list.
const ROWS: usize = 10;
/// Maximum length of the title of a row or a section, in characters.
const TITLE_LIMIT: usize = 24;
/// Maximum length of the line below it, in characters.
const DESCRIPTION_LIMIT: usize = 72;
/// Maximum length of an id, in characters.
const ID_LIMIT: usize = 200;

/// A row of a list.
#[derive(Debug)]
pub(super) struct RowPart {
    /// The title of the section that begins with it.
    section: Option<String>,
    id: Field,
    title: Field,
    description: Option<Field>,
}

impl RowPart {
    /// Compiles a row.
    pub fn compile(row: &FrontRow, reader: &mut Reader<'_>) -> Option<RowPart> {
        let (id, title) = (reader.whole(&row.id)?, reader.whole(&row.title)?);
        let description = match &row.description {
            Some(description) => Some(reader.whole(description)?),
            None => None,
        };
        Some(RowPart { section: row.section.clone(), id, title, description })
    }

    /// The row, with the sources of its values in place of these.
    fn shown(&self) -> Row {
        let shown = |field: &Field| format!("{}{}", field.before, field.source());
        Row {
            id: shown(&self.id),
            title: shown(&self.title),
            description: self.description.as_ref().map(shown),
        }
    }

    fn render(&self, environment: &Environment<'static>, context: &Rendered) -> Result<Option<Row>, String> {
        let fill = |field: &Field| {
            let filled = field.fill(environment, context, str::to_owned);
            filled.map(|filled| filled.text.trim().to_owned()).map_err(|failure| failure.to_string())
        };
        let title = cut(&fill(&self.title)?, TITLE_LIMIT);
        if title.is_empty() {
            return Ok(None);
        }
        let id = fill(&self.id)?;
        if !(1..=ID_LIMIT).contains(&id.chars().count()) {
            return Err(format!(
                "the id of the row {title:?} must have 1 to {ID_LIMIT} characters, got {id:?}"
            ));
        }
        let description = self.description.as_ref().map(fill).transpose()?;
        let description = description.filter(|text| !text.is_empty());
        Ok(Some(Row { id, title, description: description.map(|text| cut(&text, DESCRIPTION_LIMIT)) }))
    }
}

/// The list as it is written, with the sources of its values in place of these.
pub(super) fn shown(rows: &[RowPart]) -> Vec<Section> {
    let mut sections = Vec::new();
    rows.iter().for_each(|row| add(&mut sections, row.section.as_ref(), Some(row.shown())));
    sections
}

/// The list of a message. Rows whose title is empty are left out, and so are sections without rows.
///
/// # Errors
/// What is wrong with the values of its rows.
pub(super) fn render(
    rows: &[RowPart],
    environment: &Environment<'static>,
    context: &Rendered,
) -> Result<Vec<Section>, String> {
    let (mut sections, mut ids) = (Vec::new(), HashSet::new());
    for row in rows {
        let rendered = row.render(environment, context)?;
        if let Some(Row { id, .. }) = &rendered
            && !ids.insert(id.clone())
        {
            return Err(format!("two rows have the id {id:?}"));
        }
        add(&mut sections, row.section.as_ref(), rendered);
    }
    sections.retain(|section| !section.rows.is_empty());
    if sections.is_empty() {
        return Err("no row has a title".to_owned());
    }
    Ok(sections)
}

/// Adds a row to the last section, or to the one that begins with it.
fn add(sections: &mut Vec<Section>, title: Option<&String>, row: Option<Row>) {
    if title.is_some() || sections.is_empty() {
        sections.push(Section { title: title.cloned(), rows: Vec::new() });
    }
    if let Some(section) = sections.last_mut() {
        section.rows.extend(row);
    }
}

/// Adds what is wrong with the fixed texts of rows.
pub(super) fn check(rows: &[FrontRow], wrong: &mut dyn FnMut(String)) {
    if !(1..=ROWS).contains(&rows.len()) {
        wrong(format!("a list has 1 to {ROWS} rows, got {}", rows.len()));
    }
    let is_fixed = |text: &&str| split(text).1.is_empty();
    let mut limit = |what: &str, text: &str, limit: usize| {
        if Some(text).filter(is_fixed).is_some_and(|text| !(1..=limit).contains(&text.chars().count())) {
            wrong(format!("{what} of a list has 1 to {limit} characters, got {text:?}"));
        }
    };
    for FrontRow { id, title, description, section } in rows {
        limit("the id of a row", id, ID_LIMIT);
        limit("the title of a row", title, TITLE_LIMIT);
        if let Some(description) = description {
            limit("the description of a row", description, DESCRIPTION_LIMIT);
        }
        if let Some(section) = section {
            limit("the title of a section", section, TITLE_LIMIT);
        }
    }
    let mut ids = HashSet::new();
    let mut fixed = rows.iter().map(|row| row.id.as_str()).filter(is_fixed);
    if let Some(id) = fixed.find(|id| !ids.insert(*id)) {
        wrong(format!("two rows of a list have the id {id:?}"));
    }
    let sections: Vec<&str> = rows.iter().filter_map(|row| row.section.as_deref()).collect();
    if sections.iter().any(|section| !split(section).1.is_empty()) {
        wrong("the title of a section cannot have variables".to_owned());
    }
    if !sections.is_empty() && rows.first().is_some_and(|row| row.section.is_none()) {
        wrong("if rows of a list have a `section`, the first one needs one".to_owned());
    }
}
