//! Interactive messages that work only with something that is set up at Meta: checked, then refused for want of it.

use serde_json::Value;

use super::{
    GraphError,
    choices::sections,
    fields::{array, invalid, mandatory, optional_text, text},
    interactive::named,
};

/// What messages with products need.
pub const CATALOG: &str = "a product catalogue";
/// What calls need.
const CALLING: &str = "a number with calling enabled";
/// The longest time for which a button calls, in minutes: 30 days.
const CALL_MINUTES: f64 = 43_200.0;

/// The error of a type that works only with something that is set up at Meta.
pub fn needs(kind: &str, what: &str) -> GraphError {
    invalid(format!("interactive type '{kind}' needs {what} at Meta, which the simulator does not have"))
}

/// Opens a flow, by id or name.
pub fn flow(action: &Value) -> Result<(), GraphError> {
    named(action, "flow")?;
    let parameters = action.get("parameters").ok_or_else(|| mandatory("parameters", "flow"))?;
    text(parameters, "flow_cta", "flow", 30)?;
    match ["flow_id", "flow_name"].map(|name| parameters.get(name).is_some()) {
        [true, true] => Err(invalid("flow takes either flow_id or flow_name, not both")),
        [false, false] => Err(mandatory("flow_id or flow_name", "flow")),
        _ => Err(needs("flow", "a published flow")),
    }
}

/// Shows one product.
pub fn product(action: &Value) -> Result<(), GraphError> {
    text(action, "catalog_id", "product", 256)?;
    text(action, "product_retailer_id", "product", 256)?;
    Err(needs("product", CATALOG))
}

/// Shows up to 30 products in sections.
pub fn product_list(action: &Value) -> Result<(), GraphError> {
    text(action, "catalog_id", "product_list", 256)?;
    let mut products = 0;
    for section in sections(action, "product_list")? {
        let items = array(section, "product_items", "section")?;
        for item in items {
            text(item, "product_retailer_id", "product_items", 256)?;
        }
        products += items.len();
    }
    if products > 30 {
        return Err(invalid("Total product count exceed max allowed count: 30"));
    }
    Err(needs("product_list", CATALOG))
}

/// Opens the catalogue.
pub fn catalog(action: &Value) -> Result<(), GraphError> {
    named(action, "catalog_message")?;
    Err(needs("catalog_message", CATALOG))
}

/// A button that calls the business.
pub fn voice_call(action: &Value) -> Result<(), GraphError> {
    named(action, "voice_call")?;
    if let Some(parameters) = action.get("parameters").filter(|parameters| !parameters.is_null()) {
        optional_text(parameters, "display_text", "voice_call", 20)?;
        optional_text(parameters, "payload", "voice_call", 512)?;
        let minutes = parameters.get("ttl_minutes").map(|minutes| minutes.as_f64());
        if minutes
            .is_some_and(|minutes| !minutes.is_some_and(|minutes| (1.0..=CALL_MINUTES).contains(&minutes)))
        {
            return Err(invalid(format!("voice_call['ttl_minutes'] must be from 1 to {CALL_MINUTES}")));
        }
    }
    Err(needs("voice_call", CALLING))
}

/// Asks whether the business may call.
pub fn call_permission(action: &Value) -> Result<(), GraphError> {
    named(action, "call_permission_request")?;
    Err(needs("call_permission_request", CALLING))
}

/// Asks for a postal address.
pub fn address(action: &Value) -> Result<(), GraphError> {
    named(action, "address_message")?;
    let parameters = action.get("parameters").ok_or_else(|| mandatory("parameters", "address_message"))?;
    match text(parameters, "country", "address_message", 2)? {
        "IN" | "SG" => Err(needs("address_message", "a business in India or Singapore")),
        _ => Err(invalid("address_message['country'] must be IN or SG")),
    }
}
