//! Template management: create and delete.

use std::{collections::BTreeMap, time::Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Template, TemplateStatus, Templates, definition::parts};
use crate::{error::GraphError, ids};

/// The longest name, in characters.
const NAME: usize = 512;

/// What a request's query says.
pub type Query = BTreeMap<String, String>;

/// `POST /{waba-id}/message_templates`.
pub fn create(
    templates: &mut Templates,
    body: &Value,
    review_ms: u64,
    (now, at): (Instant, Timestamp),
) -> Result<Value, GraphError> {
    let field = |name: &str| body[name].as_str().filter(|value| !value.is_empty());
    let required = |name: &str| {
        field(name).ok_or_else(|| GraphError::parameter(format!("The parameter {name} is required.")))
    };
    let name = required("name")?;
    if name.len() > NAME || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(GraphError::parameter(format!(
            "Param name must be of at most {NAME} lower-case letters, digits and underscores."
        )));
    }
    let language = required("language")?;
    let category = category(required("category")?)?;
    let named = match field("parameter_format").map(str::to_uppercase).as_deref() {
        None | Some("POSITIONAL") => false,
        Some("NAMED") => true,
        Some(_) => {
            return Err(GraphError::parameter("Param parameter_format must be one of {NAMED, POSITIONAL}."));
        }
    };
    let ttl = ttl(body)?;
    let components = components(body)?;
    let parts = parts(&components, &category, named)?;
    if templates.is_blocked(name, language, at) {
        return Err(GraphError::template(
            2_388_023,
            "Message Template Language Is Being Deleted",
            format!(
                "New {language} content can't be added while the existing {language} content is being deleted. \
                     Try again in 4 weeks or consider creating a new message template."
            ),
        ));
    }
    if templates.find(name, language).is_some() {
        return Err(GraphError::template(
            2_388_023,
            "Content in This Language Already Exists",
            format!(
                "There is already {language} content for this template. You can create a new template and try again."
            ),
        ));
    }
    let template = Template {
        seq: 0,
        id: ids::object_id(),
        name: name.into(),
        language: language.into(),
        category,
        status: TemplateStatus::Pending,
        named,
        components,
        parts,
        rejected_reason: "NONE",
        ttl,
        created_at: at,
        edits: Vec::new(),
    };
    let answer = json!({"id": template.id, "status": "PENDING", "category": template.category});
    let id = template.id.clone();
    templates.add(template)?;
    templates.submit(&id, now, review_ms);
    Ok(answer)
}

pub(super) fn category(category: &str) -> Result<String, GraphError> {
    let category = category.to_uppercase();
    match category.as_str() {
        "MARKETING" | "UTILITY" | "AUTHENTICATION" => Ok(category),
        _ => {
            Err(GraphError::parameter("Param category must be one of {UTILITY, MARKETING, AUTHENTICATION}."))
        }
    }
}

pub(super) fn components(body: &Value) -> Result<Vec<Value>, GraphError> {
    match &body["components"] {
        Value::Array(components) if !components.is_empty() => Ok(components.clone()),
        _ => Err(GraphError::parameter("The parameter components is required.")),
    }
}

pub(super) fn ttl(body: &Value) -> Result<Option<i64>, GraphError> {
    match &body["message_send_ttl_seconds"] {
        Value::Null => Ok(None),
        ttl => match ttl.as_i64() {
            Some(ttl @ (-1 | 30..=2_592_000)) => Ok(Some(ttl)),
            _ => Err(GraphError::parameter(
                "Param message_send_ttl_seconds must be -1, or from 30 to 2592000.",
            )),
        },
    }
}

/// `DELETE /{waba-id}/message_templates?name=…[&hsm_id=…]`.
pub fn delete(templates: &mut Templates, query: &Query, at: Timestamp) -> Result<Value, GraphError> {
    let name = query.get("name").ok_or_else(|| GraphError::parameter("The parameter name is required."))?;
    let id = query.get("hsm_id");
    let meant = |template: &Template| template.name == *name && id.is_none_or(|id| template.id == *id);
    if templates.all().iter().any(|template| meant(template) && template.status == TemplateStatus::Disabled) {
        return Err(GraphError::parameter("A disabled template can't be deleted."));
    }
    match templates.remove(meant, at) {
        0 => Err(GraphError::parameter(format!("Message template '{name}' was not found."))),
        _ => Ok(json!({"success": true})),
    }
}
