//! Templates change: edited, unpaused, put into a state.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Template, TemplateStatus, Templates,
    definition::parts,
    endpoints::{category, components, ttl},
};
use crate::error::GraphError;

/// `POST /{template-id}`: new components, category or time to live; `None` where there is no such template.
pub fn edit(
    templates: &mut Templates,
    id: &str,
    body: &Value,
    review_ms: u64,
    (now, at): (Instant, Timestamp),
) -> Option<Result<Value, GraphError>> {
    let template = templates.by_id(id)?;
    if let Err(error) = apply(template, body, at) {
        return Some(Err(error));
    }
    templates.submit(id, now, review_ms);
    Some(Ok(json!({"success": true})))
}

fn apply(template: &mut Template, body: &Value, at: Timestamp) -> Result<(), GraphError> {
    let refused =
        |why: &str| GraphError::template(2_388_039, "Message template status can't be changed", why);
    match template.status {
        TemplateStatus::Approved => {
            let within = |hours: i64| {
                let since = at - SignedDuration::from_hours(hours);
                template.edits.iter().filter(|edit| **edit > since).count()
            };
            if within(24) >= 1 || within(30 * 24) >= 10 {
                return Err(refused(
                    "An approved template can be edited once in 24 hours and 10 times in 30 days.",
                ));
            }
        }
        TemplateStatus::Rejected | TemplateStatus::Paused => {}
        _ => return Err(refused("Only approved, rejected and paused templates can be edited.")),
    }
    let new_category = match body["category"].as_str() {
        Some(wanted) => category(wanted)?,
        None => template.category.clone(),
    };
    if template.status == TemplateStatus::Approved && new_category != template.category {
        return Err(refused("The category of an approved template can't be edited."));
    }
    let new_components = match body.get("components") {
        Some(_) => components(body)?,
        None => template.components.clone(),
    };
    let new_ttl = ttl(body)?.or(template.ttl);
    template.parts = parts(&new_components, &new_category, template.named)?;
    template.components = new_components;
    template.category = new_category;
    template.ttl = new_ttl;
    if template.status == TemplateStatus::Approved {
        template.edits.push(at);
    }
    template.status = TemplateStatus::Pending;
    Ok(())
}

/// `POST /{template-id}/unpause`; `None` where there is no such template.
pub fn unpause(templates: &mut Templates, id: &str) -> Option<(Value, Option<Value>)> {
    let template = templates.by_id(id)?;
    if template.status != TemplateStatus::Paused {
        return Some((json!({"success": false, "reason": "The template is not paused."}), None));
    }
    template.status = TemplateStatus::Approved;
    let mut event = template.event("APPROVED", "NONE");
    event["other_info"] = json!({"title": "UNPAUSE", "description": "The template was unpaused."});
    Some((json!({"success": true}), Some(event)))
}

/// Puts a template into a state, as Meta does by itself; returns the values of the webhooks.
pub fn set_status(templates: &mut Templates, name: &str, status: TemplateStatus) -> Vec<Value> {
    let (mut events, mut ids) = (Vec::new(), Vec::new());
    for template in templates.named(name) {
        template.status = status;
        template.rejected_reason = if status == TemplateStatus::Rejected { "INVALID_FORMAT" } else { "NONE" };
        events.push(template.event(status.as_str(), template.rejected_reason));
        ids.push(template.id.clone());
    }
    templates.withdraw(&ids);
    events
}
