//! Whether a send fits the template that it names.

use super::{
    Template, TemplateStatus,
    buttons::ButtonPart,
    definition::HeaderPart,
    variables::{Variable, fill},
};
use crate::{
    check::{Component, Parameter, TemplateSend},
    error::GraphError,
};

/// The longest body after its variables are filled in, in characters.
const HYDRATED: usize = 1024;

/// Checks a send against its template.
///
/// # Errors
/// 132000, 132005, 132012, 132015, 132016, 132001 or 100, as Meta.
pub fn fit(template: &Template, send: &TemplateSend<'_>) -> Result<(), GraphError> {
    match template.status {
        TemplateStatus::Approved => {}
        TemplateStatus::Paused => {
            return Err(GraphError::new(
                132_015,
                "Template is paused due to low quality so it cannot be sent",
            ));
        }
        TemplateStatus::Disabled => {
            return Err(GraphError::new(132_016, "Template has been paused too many times and is disabled"));
        }
        _ => return Err(missing(send)),
    }
    header(template, send)?;
    body(template, send)?;
    buttons(template, send)?;
    one_time_code(template, send)
}

/// The longest one-time code, in characters.
const CODE: usize = 15;

/// The code of an authentication template: the same in the body and in the button, short, and no link.
fn one_time_code(template: &Template, send: &TemplateSend<'_>) -> Result<(), GraphError> {
    let Some(index) = template.parts.buttons.iter().position(|button| *button == ButtonPart::OneTimeCode)
    else {
        return Ok(());
    };
    let button =
        send.components.iter().find(|component| component.kind == "button" && component.index == index);
    let first = |component: Option<&Component<'_>>| component?.parameters.first()?.text.map(str::to_owned);
    let (said, copied) = (first(component(send, "body")), first(button));
    let code = copied.as_deref().unwrap_or_default();
    if code.chars().count() > CODE || code.contains("://") || code.contains(['\n', '\t']) {
        return Err(GraphError::new(
            132_018,
            format!("a one-time code is no link and has at most {CODE} characters"),
        ));
    }
    if said != copied {
        return Err(GraphError::new(131_009, "the code of the body and that of the button must be the same"));
    }
    Ok(())
}

/// 132001: no such template in this language.
pub fn missing(send: &TemplateSend<'_>) -> GraphError {
    GraphError::new(132_001, format!("template name ({}) does not exist in {}", send.name, send.language))
}

fn component<'a>(send: &'a TemplateSend<'_>, kind: &str) -> Option<&'a Component<'a>> {
    send.components.iter().find(|component| component.kind == kind)
}

fn count(part: &str, got: usize, expected: usize) -> Result<(), GraphError> {
    if got == expected {
        return Ok(());
    }
    Err(GraphError::new(
        132_000,
        format!(
            "{part}: number of localizable_params ({got}) does not match the expected number of params ({expected})"
        ),
    ))
}

fn mismatch(part: &str, expected: &str, got: &str) -> GraphError {
    let (expected, got) = (expected.to_uppercase(), got.to_uppercase());
    GraphError::new(132_012, format!("{part}: Format mismatch, expected {expected}, received {got}"))
}

fn header(template: &Template, send: &TemplateSend<'_>) -> Result<(), GraphError> {
    let parameters = component(send, "header").map(|header| header.parameters.as_slice()).unwrap_or_default();
    match &template.parts.header {
        HeaderPart::Fixed => count("header", parameters.len(), 0),
        HeaderPart::Text(variable) => {
            count("header", parameters.len(), 1)?;
            texts("header", std::slice::from_ref(variable), parameters, template.named).map(drop)
        }
        HeaderPart::Media(format) => match parameters {
            [parameter] if parameter.kind == *format => Ok(()),
            [parameter, ..] => Err(mismatch("header", format, &parameter.kind)),
            [] => Err(mismatch("header", format, "unknown")),
        },
    }
}

fn body(template: &Template, send: &TemplateSend<'_>) -> Result<(), GraphError> {
    let parts = &template.parts;
    let parameters = component(send, "body").map(|body| body.parameters.as_slice()).unwrap_or_default();
    count("body", parameters.len(), parts.body.len())?;
    let values = texts("body", &parts.body, parameters, template.named)?;
    let length = fill(&parts.text, &parts.body, &values).chars().count();
    if length > HYDRATED {
        return Err(GraphError::new(
            132_005,
            format!("body: the text is {length} characters long with its parameters, {HYDRATED} are allowed"),
        ));
    }
    Ok(())
}

/// The parameters' texts, in the order of the variables.
fn texts<'a>(
    part: &str,
    variables: &[Variable],
    parameters: &'a [Parameter<'_>],
    named: bool,
) -> Result<Vec<&'a str>, GraphError> {
    let mut values = Vec::with_capacity(variables.len());
    for (index, variable) in variables.iter().enumerate() {
        let parameter = if named {
            if parameters.iter().any(|parameter| parameter.name.is_none()) {
                return Err(GraphError::new(100, "Parameter name is missing or empty"));
            }
            let by_name = parameters.iter().find(|parameter| parameter.name == Some(&variable.name));
            by_name.ok_or_else(|| {
                GraphError::new(100, format!("{part}: the parameter {} is missing", variable.name))
            })?
        } else {
            &parameters[index]
        };
        if !matches!(parameter.kind.as_str(), "text" | "currency" | "date_time") {
            return Err(mismatch(part, "text", &parameter.kind));
        }
        values.push(parameter.text.ok_or_else(|| mismatch(part, "text", "unknown"))?);
    }
    Ok(values)
}

fn buttons(template: &Template, send: &TemplateSend<'_>) -> Result<(), GraphError> {
    for component in send.components.iter().filter(|component| component.kind == "button") {
        let place = format!("button at index {}", component.index);
        let Some(button) = template.parts.buttons.get(component.index) else {
            return Err(GraphError::new(132_012, format!("{place}: the template has no such button")));
        };
        let kind = component.parameters.first().map_or("unknown", |parameter| parameter.kind.as_str());
        let sub_type = component.sub_type.as_deref().unwrap_or_default();
        let fits = match button {
            ButtonPart::QuickReply => {
                sub_type == "quick_reply" && matches!(kind, "payload" | "text" | "unknown")
            }
            ButtonPart::Url | ButtonPart::OneTimeCode => sub_type == "url" && kind == "text",
            ButtonPart::CopyCode => sub_type == "copy_code" && kind == "coupon_code",
            ButtonPart::Fixed => component.parameters.is_empty(),
        };
        if !fits {
            return Err(GraphError::new(
                132_012,
                format!(
                    "{place}: the template's button does not take a {sub_type} with a parameter of type {kind}"
                ),
            ));
        }
    }
    for (index, button) in template.parts.buttons.iter().enumerate() {
        let given = |component: &Component<'_>| component.kind == "button" && component.index == index;
        let has_value = matches!(button, ButtonPart::Url | ButtonPart::CopyCode | ButtonPart::OneTimeCode);
        if has_value && !send.components.iter().any(given) {
            return Err(GraphError::new(
                131_008,
                format!("buttons: Button at index {index} of type Url requires a parameter"),
            ));
        }
    }
    Ok(())
}
