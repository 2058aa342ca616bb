//! The rows of a list: compiled, checked, and rendered for a message.

use std::collections::HashSet;

use minijinja::{Environment, Value as Rendered};

use super::{
    field::{Field, Reader, split},
    front::FrontRow,
    header::cut,
    meta_body::SEPARATOR,
    parameter::one_line,
    program::Program,
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

/// A row of a list, or the rows for the items of an array.
#[derive(Debug)]
pub(super) struct RowPart {
    /// The title of the section that begins with it.
    section: Option<String>,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    One { id: Field, title: Field, description: Option<Field> },
    Each { array: String, program: Program, written: Row },
}

impl RowPart {
    /// Compiles a row.
    pub fn compile(row: &FrontRow, reader: &mut Reader<'_>) -> Option<RowPart> {
        let section = row.section.clone();
        if let Some(array) = &row.each {
            let (array, written) = (array.trim().to_owned(), written(row));
            let cells = [&row.id, &row.title, row.description.as_ref().unwrap_or(&String::new())]
                .map(|cell| format!("{cell}{SEPARATOR}"));
            let template = format!("{{% for item in {array} %}}{}{{% endfor %}}", cells.concat());
            let program = reader.program(&template, &array)?;
            return Some(RowPart { section, rows: Rows::Each { array, program, written } });
        }
        let (id, title) = (reader.whole(&row.id)?, reader.whole(&row.title)?);
        let description = match &row.description {
            Some(description) => Some(reader.whole(description)?),
            None => None,
        };
        Some(RowPart { section, rows: Rows::One { id, title, description } })
    }

    /// The row, with the sources of its values in place of these.
    fn shown(&self) -> Row {
        let shown = |field: &Field| format!("{}{}", field.before, field.source());
        match &self.rows {
            Rows::One { id, title, description } => {
                Row { id: shown(id), title: shown(title), description: description.as_ref().map(shown) }
            }
            Rows::Each { written, .. } => written.clone(),
        }
    }

    fn array(&self) -> Option<&str> {
        match &self.rows {
            Rows::One { .. } => None,
            Rows::Each { array, .. } => Some(array),
        }
    }

    /// The rows of a message: without those that have no title.
    fn render(&self, environment: &Environment<'static>, context: &Rendered) -> Result<Vec<Row>, String> {
        match &self.rows {
            Rows::One { id, title, description } => {
                let fill = |field: &Field| {
                    let filled = field.fill(environment, context, str::to_owned);
                    filled.map(|filled| filled.text.trim().to_owned()).map_err(|failure| failure.to_string())
                };
                let title = cut(&fill(title)?, TITLE_LIMIT);
                if title.is_empty() {
                    return Ok(Vec::new());
                }
                let id = identified(&fill(id)?, &title)?;
                let description = description.as_ref().map(fill).transpose()?;
                let description = description.filter(|text| !text.is_empty());
                Ok(vec![Row {
                    id,
                    title,
                    description: description.map(|text| cut(&text, DESCRIPTION_LIMIT)),
                }])
            }
            Rows::Each { array, program, .. } => {
                let text = program.render(environment, context);
                let text = text.map_err(|failure| format!("`{array}`: {failure}"))?;
                let text = text.replace('\0', "");
                let cells: Vec<String> =
                    text.split(SEPARATOR).map(|cell| one_line(cell, " ").trim().to_owned()).collect();
                let rows = cells.chunks_exact(3).filter(|cells| !cells[1].is_empty());
                rows.map(|cells| of_item(array, cells)).collect()
            }
        }
    }
}

/// A row as it is written.
fn written(row: &FrontRow) -> Row {
    let FrontRow { id, title, description, .. } = row.clone();
    Row { id, title, description }
}

fn identified(id: &str, title: &str) -> Result<String, String> {
    match (1..=ID_LIMIT).contains(&id.chars().count()) {
        true => Ok(id.to_owned()),
        false => Err(format!("the id of the row {title:?} must have 1 to {ID_LIMIT} characters, got {id:?}")),
    }
}

/// A row of an array's item: its id, title and description. Nobody has seen its texts before, so none is cut: two might
/// read the same then.
fn of_item(array: &str, cells: &[String]) -> Result<Row, String> {
    let within = |what: &str, text: &str, limit: usize| match text.chars().count() <= limit {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{what} of a row of `{array}` has at most {limit} characters, got {text:?}; shorten it, for example \
             `{{{{ item.name | truncate({limit}) }}}}`"
        )),
    };
    let (id, title) = (&cells[0], within("the title", &cells[1], TITLE_LIMIT)?);
    let description = within("the description", &cells[2], DESCRIPTION_LIMIT)?;
    Ok(Row {
        id: identified(id, &title)?,
        title,
        description: Some(description).filter(|description| !description.is_empty()),
    })
}

/// The list as it is written, with the sources of its values in place of these.
pub(super) fn shown(rows: &[RowPart]) -> Vec<Section> {
    let mut sections = Vec::new();
    rows.iter().for_each(|row| add(&mut sections, row.section.as_ref(), [row.shown()]));
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
        if let Some(Row { id, .. }) = rendered.iter().find(|row| !ids.insert(row.id.clone())) {
            return Err(format!("two rows have the id {id:?}"));
        }
        add(&mut sections, row.section.as_ref(), rendered);
    }
    sections.retain(|section| !section.rows.is_empty());
    if sections.is_empty() {
        return Err("no row has a title".to_owned());
    }
    if ids.len() > ROWS {
        let (count, array) = (ids.len(), rows.iter().find_map(RowPart::array).unwrap_or_default());
        return Err(format!(
            "a list has at most {ROWS} rows, got {count}; take fewer, for example `each: {array}[:{ROWS}]`"
        ));
    }
    Ok(sections)
}

/// Adds rows to the last section, or to the one that begins with them.
fn add(sections: &mut Vec<Section>, title: Option<&String>, rows: impl IntoIterator<Item = Row>) {
    if title.is_some() || sections.is_empty() {
        sections.push(Section { title: title.cloned(), rows: Vec::new() });
    }
    if let Some(section) = sections.last_mut() {
        section.rows.extend(rows);
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
    for FrontRow { id, title, description, section, .. } in rows {
        limit("the id of a row", id, ID_LIMIT);
        limit("the title of a row", title, TITLE_LIMIT);
        if let Some(description) = description {
            limit("the description of a row", description, DESCRIPTION_LIMIT);
        }
        if let Some(section) = section {
            limit("the title of a section", section, TITLE_LIMIT);
        }
    }
    for array in rows.iter().filter_map(|row| row.each.as_deref()) {
        if array.trim().is_empty() || !split(array).1.is_empty() || array.contains("%}") {
            wrong(format!("`each` is an expression for an array, for example `each: times`, got {array:?}"));
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
