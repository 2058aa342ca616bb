//! `GET /{waba-id}/message_templates`: filters, pages and a summary.

use std::collections::HashSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{Query, Template, Templates, filter::Filter, store::TEMPLATES};
use crate::{
    error::GraphError,
    fields::{self, pick},
};

/// Templates on a page, where the caller does not say.
const PAGE: usize = 25;
/// The most templates on a page.
const LARGEST_PAGE: usize = 1_000;
/// The fields that Meta has of a template.
const FIELDS: &[&str] = &[
    "bid_spec",
    "category",
    "components",
    "correct_category",
    "cta_url_link_tracking_opted_out",
    "degrees_of_freedom_spec",
    "display_format",
    "id",
    "is_primary_device_delivery_only",
    "language",
    "last_updated_time",
    "library_template_name",
    "message_send_ttl_seconds",
    "name",
    "parameter_format",
    "previous_category",
    "quality_score",
    "rejected_reason",
    "status",
    "sub_category",
];

/// Lists templates; `here` is the address of the list, for the links to other pages.
///
/// # Errors
/// 100 or 2642 for a parameter that Meta does not take.
pub fn list(templates: &Templates, query: &Query, here: &str) -> Result<Value, GraphError> {
    let named = named_fields(query)?;
    let filter = Filter::read(query)?;
    let summary = query.get("summary").map(|names| summary(templates, names)).transpose()?;
    let limit = limit(query)?;
    let matching: Vec<&Template> = templates.all().iter().filter(|template| filter.takes(template)).collect();
    // What comes before and after a cursor, whether or not its template is still there.
    let (start, end) = match (position(query, "after")?, position(query, "before")?) {
        (Some(after), _) => {
            let start = matching.partition_point(|template| template.seq <= after);
            (start, start.saturating_add(limit).min(matching.len()))
        }
        (None, Some(before)) => {
            let end = matching.partition_point(|template| template.seq < before);
            (end.saturating_sub(limit), end)
        }
        (None, None) => (0, limit.min(matching.len())),
    };
    let page = &matching[start..end];
    let data: Vec<Value> = page.iter().map(|template| pick(template.value(), named)).collect();
    let mut answer = json!({"data": data});
    if let (Some(first), Some(last)) = (page.first(), page.last()) {
        let (before, after) = (cursor(first), cursor(last));
        let mut paging = json!({"cursors": {"before": before, "after": after}});
        if end < matching.len() {
            paging["next"] = link(here, query, "after", &after);
        }
        if start > 0 {
            paging["previous"] = link(here, query, "before", &before);
        }
        answer["paging"] = paging;
    }
    if let Some(summary) = summary {
        answer["summary"] = summary;
    }
    Ok(answer)
}

/// `GET /{template-id}`; `None` where there is no such template.
pub fn get(templates: &Templates, id: &str, query: &Query) -> Option<Result<Value, GraphError>> {
    let template = templates.all().iter().find(|template| template.id == id)?;
    Some(named_fields(query).map(|named| pick(template.value(), named)))
}

fn named_fields(query: &Query) -> Result<Option<&str>, GraphError> {
    let named = query.get("fields").map(String::as_str);
    fields::check(named, FIELDS, "WhatsAppMessageTemplate")?;
    Ok(named)
}

fn limit(query: &Query) -> Result<usize, GraphError> {
    match query.get("limit").map(|limit| limit.trim().parse::<usize>()) {
        None => Ok(PAGE),
        Some(Ok(limit @ 1..)) => Ok(limit.min(LARGEST_PAGE)),
        Some(_) => Err(GraphError::parameter("Param limit must be an integer greater than or equal to 1.")),
    }
}

fn cursor(template: &Template) -> String {
    STANDARD.encode(template.seq.to_string())
}

/// Where a cursor points to.
fn position(query: &Query, name: &str) -> Result<Option<u64>, GraphError> {
    let Some(cursor) = query.get(name).filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
    let decoded = STANDARD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.and_then(|seq| seq.parse().ok()) {
        Some(seq) => Ok(Some(seq)),
        None => Err(GraphError {
            code: 2642,
            message: "(#2642) Invalid cursors values".into(),
            ..GraphError::parameter("")
        }),
    }
}

/// The address of the page on one side of a cursor.
fn link(here: &str, query: &Query, side: &str, cursor: &str) -> Value {
    let kept = query.iter().filter(|(key, _)| !matches!(key.as_str(), "after" | "before" | "access_token"));
    let parameters = kept.map(|(key, value)| (key.as_str(), value.as_str())).chain([(side, cursor)]);
    reqwest::Url::parse_with_params(here, parameters).map_or(Value::Null, |url| url.to_string().into())
}

/// Counts of the account's templates, whatever the filters.
fn summary(templates: &Templates, names: &str) -> Result<Value, GraphError> {
    let all = templates.all();
    let mut summary = Map::new();
    for name in fields::names(names) {
        let value = match name {
            "total_count" | "message_template_count" => all.len().into(),
            "message_template_limit" => TEMPLATES.into(),
            "are_translations_complete" => is_translated(all).into(),
            unknown => {
                return Err(GraphError::parameter(format!(
                    "Tried accessing nonexisting summary field ({unknown})"
                )));
            }
        };
        summary.insert(name.to_owned(), value);
    }
    Ok(Value::Object(summary))
}

/// Whether each template has each of the account's languages.
fn is_translated(all: &[Template]) -> bool {
    let names: HashSet<&str> = all.iter().map(|template| template.name.as_str()).collect();
    let languages: HashSet<&str> = all.iter().map(|template| template.language.as_str()).collect();
    names.len() * languages.len() == all.len()
}
