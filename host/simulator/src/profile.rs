//! `GET` and `POST /{phone-number-id}/whatsapp_business_profile`.

use serde_json::{Map, Value, json};

use super::{Simulator, error::GraphError, fields};

/// The texts of a profile, each with the fewest and the most characters. An empty text deletes one that may be empty.
const TEXTS: &[(&str, usize, usize)] =
    &[("about", 1, 139), ("address", 0, 256), ("description", 0, 512), ("email", 0, 128)];
/// How many websites, and the longest of them in characters.
const WEBSITES: (usize, usize) = (2, 256);
/// The industries.
const VERTICALS: &[&str] = &[
    "ALCOHOL",
    "APPAREL",
    "AUTO",
    "BEAUTY",
    "EDU",
    "ENTERTAIN",
    "EVENT_PLAN",
    "FINANCE",
    "GOVT",
    "GROCERY",
    "HEALTH",
    "HOTEL",
    "NONPROFIT",
    "NOT_A_BIZ",
    "ONLINE_GAMBLING",
    "OTC_DRUGS",
    "OTHER",
    "PHYSICAL_GAMBLING",
    "PROF_SERVICES",
    "RESTAURANT",
    "RETAIL",
    "TRAVEL",
    "UNDEFINED",
];
/// What can be asked for.
const FIELDS: &[&str] = &[
    "about",
    "address",
    "description",
    "email",
    "messaging_product",
    "profile_picture_url",
    "vertical",
    "websites",
];

/// What users see of a number's business.
#[derive(Clone)]
pub struct Profile(Map<String, Value>);

impl Default for Profile {
    fn default() -> Self {
        let fields = [("vertical", "UNDEFINED"), ("messaging_product", "whatsapp")];
        Profile(fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}

/// The profile of a number.
///
/// # Errors
/// 100 for a field that a profile does not have.
pub fn get(simulator: &Simulator, phone_number_id: &str, named: Option<&str>) -> Result<Value, GraphError> {
    fields::check(named, FIELDS, "WhatsAppBusinessProfile")?;
    let Profile(mut profile) = simulator.state().profiles.get(phone_number_id).cloned().unwrap_or_default();
    if let Some(named) = named {
        let wanted: Vec<&str> = fields::names(named).collect();
        profile.retain(|name, _| name == "messaging_product" || wanted.contains(&name.as_str()));
    }
    Ok(json!({"data": [profile]}))
}

/// Changes what the body names, all or nothing.
///
/// # Errors
/// 100, as Graph words it.
pub fn set(simulator: &Simulator, phone_number_id: &str, body: &Value) -> Result<Value, GraphError> {
    match body.get("messaging_product").and_then(Value::as_str) {
        Some("whatsapp") => {}
        Some(_) => return Err(GraphError::parameter("Param messaging_product must be one of {WHATSAPP}.")),
        None => return Err(GraphError::parameter("The parameter messaging_product is required.")),
    }
    let mut changes = Map::new();
    for (name, fewest, most) in TEXTS {
        if let Some(text) = text(body, name, *fewest, *most)? {
            changes.insert((*name).to_owned(), text.into());
        }
    }
    if let Some(email) = changes.get("email").and_then(Value::as_str)
        && !email.is_empty()
        && !is_email(email)
    {
        return Err(GraphError::parameter("Param email must be a valid email address."));
    }
    if let Some(vertical) = text(body, "vertical", 0, usize::MAX)? {
        if !VERTICALS.contains(&vertical) {
            return Err(GraphError::parameter(format!(
                "Param vertical must be one of {{{}}} - got \"{vertical}\".",
                VERTICALS.join(", ")
            )));
        }
        changes.insert("vertical".into(), vertical.into());
    }
    if let Some(websites) = websites(body)? {
        changes.insert("websites".into(), websites);
    }
    if body.get("profile_picture_handle").is_some() {
        return Err(GraphError::parameter(
            "Param profile_picture_handle sets a picture at Meta; the simulator keeps no pictures.",
        ));
    }
    let mut state = simulator.state();
    let Profile(profile) = state.profiles.entry(phone_number_id.to_owned()).or_default();
    profile.extend(changes);
    profile.retain(|_, value| *value != "" && *value != json!([]));
    Ok(json!({"success": true}))
}

fn text<'a>(body: &'a Value, name: &str, fewest: usize, most: usize) -> Result<Option<&'a str>, GraphError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => match text.chars().count() {
            length if length > most => {
                Err(GraphError::parameter(format!("Param {name} must be at most {most} characters long.")))
            }
            length if length < fewest => {
                Err(GraphError::parameter(format!("Param {name} must be at least {fewest} characters long.")))
            }
            _ => Ok(Some(text)),
        },
        Some(_) => Err(GraphError::parameter(format!("Param {name} must be a string."))),
    }
}

/// A list, or the JSON text of one, as in Meta's own example.
fn websites(body: &Value) -> Result<Option<Value>, GraphError> {
    let (count, longest) = WEBSITES;
    let wrong = |why: &str| Err(GraphError::parameter(format!("Param websites {why}")));
    let list = match body.get("websites") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(list) => list.clone(),
    };
    let Value::Array(items) = &list else { return wrong("must be an array.") };
    if items.len() > count {
        return wrong(&format!("must have at most {count} items."));
    }
    for item in items {
        match item.as_str() {
            Some(url) if url.chars().count() > longest => {
                return wrong(&format!("must have items of at most {longest} characters."));
            }
            Some(url)
                if reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) => {}
            _ => return wrong("must have items that are URLs with http:// or https://."),
        }
    }
    Ok(Some(list))
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !text.contains(char::is_whitespace)
            && !host.contains('@')
            && host.split('.').count() > 1
            && host.split('.').all(|label| !label.is_empty())
    })
}
