//! Interactive messages: reply buttons, lists, a link button, a request for the location.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    GraphError,
    fields::{array, invalid, mandatory, optional_text, text},
    media,
};

/// The longest header and footer, in characters.
const LINE: usize = 60;

/// Checks the `interactive` object.
pub fn check(object: &Value) -> Result<(), GraphError> {
    let kind = text(object, "type", "interactive", 64)?;
    let action = |object: &Value| match object.get("action") {
        Some(action) if action.is_object() => Ok(action.clone()),
        _ => Err(mandatory("action", "interactive")),
    };
    match kind {
        "button" => {
            frame(object, 1024, &["text", "image", "video", "document"])?;
            buttons(&action(object)?)
        }
        "list" => {
            frame(object, 4096, &["text"])?;
            list(&action(object)?)
        }
        "cta_url" => {
            frame(object, 1024, &["text", "image", "video", "document"])?;
            link(&action(object)?)
        }
        "location_request_message" => {
            frame(object, 1024, &[])?;
            match action(object)?["name"].as_str() {
                Some("send_location") => Ok(()),
                _ => Err(invalid("interactive['action']['name'] must be send_location")),
            }
        }
        "flow" => Err(elsewhere(kind, "a published flow")),
        "product" | "product_list" | "catalog_message" => Err(elsewhere(kind, "a product catalogue")),
        "order_details" | "order_status" => Err(elsewhere(kind, "a payment configuration")),
        other => Err(invalid(format!(
            "interactive['type'] must be button, list, cta_url or location_request_message, got {other:?}"
        ))),
    }
}

/// A kind that works only with something that is set up at Meta.
fn elsewhere(kind: &str, needs: &str) -> GraphError {
    invalid(format!("interactive type '{kind}' needs {needs} at Meta, which the simulator does not have"))
}

/// Header, body and footer.
fn frame(object: &Value, body_limit: usize, headers: &[&str]) -> Result<(), GraphError> {
    let body = object.get("body").ok_or_else(|| mandatory("body", "interactive"))?;
    text(body, "text", "body", body_limit)?;
    if let Some(footer) = object.get("footer").filter(|footer| !footer.is_null()) {
        text(footer, "text", "footer", LINE)?;
    }
    let Some(header) = object.get("header").filter(|header| !header.is_null()) else { return Ok(()) };
    let kind = text(header, "type", "header", 16)?;
    if !headers.contains(&kind) {
        return Err(invalid(format!("header type {kind:?} is not possible here; possible: {headers:?}")));
    }
    match header.get(kind) {
        None => Err(mandatory(kind, "header")),
        Some(_) if kind == "text" => text(header, "text", "header", LINE).map(drop),
        Some(source) => media::source(source, kind),
    }
}

fn buttons(action: &Value) -> Result<(), GraphError> {
    let buttons = array(action, "buttons", "action")?;
    if buttons.len() > 3 {
        return Err(invalid("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3"));
    }
    let (mut ids, mut titles) = (HashSet::new(), HashSet::new());
    for button in buttons {
        if button["type"] != "reply" {
            return Err(invalid("button type must be reply"));
        }
        let reply = button.get("reply").ok_or_else(|| mandatory("reply", "button"))?;
        if !ids.insert(text(reply, "id", "button", 256)?) {
            return Err(invalid("Duplicated button id"));
        }
        if !titles.insert(text(reply, "title", "button", 20)?) {
            return Err(invalid("Duplicated button title"));
        }
    }
    Ok(())
}

fn list(action: &Value) -> Result<(), GraphError> {
    text(action, "button", "list", 20)?;
    let sections = array(action, "sections", "list")?;
    if sections.len() > 10 {
        return Err(invalid("Invalid sections count. Max allowed sections: 10"));
    }
    let mut ids = HashSet::new();
    for section in sections {
        if optional_text(section, "title", "section", 24)?.is_none() && sections.len() > 1 {
            return Err(mandatory("title", "section"));
        }
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

fn link(action: &Value) -> Result<(), GraphError> {
    if action["name"] != "cta_url" {
        return Err(invalid("interactive['action']['name'] must be cta_url"));
    }
    let parameters = action.get("parameters").ok_or_else(|| mandatory("parameters", "action"))?;
    text(parameters, "display_text", "cta_url", 20)?;
    let url = text(parameters, "url", "cta_url", 2000)?;
    if url.starts_with("https://") || url.starts_with("http://") {
        Ok(())
    } else {
        Err(GraphError::parameter("Param cta_url['url'] is not a valid URL."))
    }
}
