//! What a user chooses from: reply buttons, a list, a link.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    GraphError,
    fields::{array, invalid, mandatory, optional_text, text},
    interactive::named,
};

/// Up to three reply buttons.
pub fn buttons(action: &Value) -> Result<(), GraphError> {
    let buttons = array(action, "buttons", "action")?;
    if buttons.len() > 3 {
        return Err(invalid("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3"));
    }
    replies(buttons, "reply", 256)
}

/// Buttons of one type, each with an id and a title of its own.
pub fn replies(buttons: &[Value], kind: &str, id_limit: usize) -> Result<(), GraphError> {
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    for button in buttons {
        if button["type"] != kind {
            return Err(invalid(format!("button type must be {kind}")));
        }
        let reply = button.get(kind).ok_or_else(|| mandatory(kind, "button"))?;
        if !ids.insert(text(reply, "id", "button", id_limit)?) {
            return Err(invalid("Duplicated button id"));
        }
        if !titles.insert(text(reply, "title", "button", 20)?) {
            return Err(invalid("Duplicated button title"));
        }
    }
    Ok(())
}

/// Sections of rows.
pub fn list(action: &Value) -> Result<(), GraphError> {
    text(action, "button", "list", 20)?;
    let mut ids = HashSet::new();
    for section in sections(action, "list")? {
        for row in array(section, "rows", "section")? {
            if !ids.insert(text(row, "id", "row", 200)?) {
                return Err(invalid("Duplicated row id"));
            }
            text(row, "title", "row", 24)?;
            optional_text(row, "description", "row", 72)?;
        }
    }
    if ids.len() > 10 {
        return Err(invalid("Total row count exceed max allowed count: 10"));
    }
    Ok(())
}

/// Up to ten sections, with a title where there is more than one.
pub fn sections<'a>(action: &'a Value, kind: &str) -> Result<&'a [Value], GraphError> {
    let sections = array(action, "sections", kind)?;
    if sections.len() > 10 {
        return Err(invalid("Invalid sections count. Max allowed sections: 10"));
    }
    for section in sections {
        if optional_text(section, "title", "section", 24)?.is_none() && sections.len() > 1 {
            return Err(mandatory("title", "section"));
        }
    }
    Ok(sections)
}

/// One button that opens a page.
pub fn link(action: &Value) -> Result<(), GraphError> {
    named(action, "cta_url")?;
    let parameters = action.get("parameters").ok_or_else(|| mandatory("parameters", "action"))?;
    text(parameters, "display_text", "cta_url", 20)?;
    let url = text(parameters, "url", "cta_url", 2000)?;
    if url.starts_with("https://") || url.starts_with("http://") {
        Ok(())
    } else {
        Err(GraphError::parameter("Param cta_url['url'] is not a valid URL."))
    }
}
