//! Templates in Meta's JSON.

use std::fmt;

use hookswitch_core::plan::{
    Authentication, Category, MediaKind, MetaButton, MetaHeader, MetaTemplate, parameter, wording,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The state of a template at Meta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetaStatus {
    /// In review.
    Pending,
    /// Approved: may be sent.
    Approved,
    /// Rejected in the review.
    Rejected,
    /// Paused for its quality: cannot be sent for a while.
    Paused,
    /// Disabled: can never be sent again.
    Disabled,
    /// Another state, for example `ARCHIVED`: cannot be sent.
    Other(String),
}

impl MetaStatus {
    /// Meta's name of the state.
    pub fn as_str(&self) -> &str {
        match self {
            MetaStatus::Pending => "PENDING",
            MetaStatus::Approved => "APPROVED",
            MetaStatus::Rejected => "REJECTED",
            MetaStatus::Paused => "PAUSED",
            MetaStatus::Disabled => "DISABLED",
            MetaStatus::Other(status) => status,
        }
    }
}

impl From<&str> for MetaStatus {
    fn from(status: &str) -> Self {
        match status {
            "PENDING" | "IN_APPEAL" => MetaStatus::Pending,
            "APPROVED" => MetaStatus::Approved,
            "REJECTED" => MetaStatus::Rejected,
            "PAUSED" => MetaStatus::Paused,
            "DISABLED" => MetaStatus::Disabled,
            other => MetaStatus::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for MetaStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A template at Meta.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateOnMeta {
    /// Meta's id.
    pub id: String,
    /// Name at Meta, which ends with the version.
    pub name: String,
    /// Language, for example `en_US`.
    pub language: String,
    /// State at Meta.
    pub status: MetaStatus,
    /// `UTILITY`, `MARKETING` or `AUTHENTICATION`.
    pub category: Option<String>,
    /// Text of the body, with `{{1}}`, `{{2}}`, … in place of names.
    pub body: String,
    /// Names of the parameters in order, if they are named.
    pub parameter_names: Vec<String>,
    /// Text of the footer.
    pub footer: Option<String>,
    /// Header.
    pub header: Option<MetaHeader>,
    /// Buttons.
    pub buttons: Vec<MetaButton>,
    /// Parts that Hookswitch never creates, for example a button that opens a flow: a template with one of them is not ours.
    pub foreign: Vec<String>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    pub quality: Option<String>,
    /// Meta's reason for rejecting it.
    pub rejected_reason: Option<String>,
}

impl TemplateOnMeta {
    /// Meta words an authentication template, in its language: what was chosen tells which words these are, in English as
    /// ours.
    fn read_authentication(&mut self, components: &[Value]) {
        let mut chosen = Authentication { security_recommendation: false, expiration_minutes: None };
        for component in components {
            match component["type"].as_str().unwrap_or_default() {
                "BODY" => {
                    chosen.security_recommendation =
                        component["add_security_recommendation"].as_bool().unwrap_or_default();
                }
                "FOOTER" => {
                    let minutes = component["code_expiration_minutes"].as_u64();
                    chosen.expiration_minutes = minutes.and_then(|minutes| u8::try_from(minutes).ok());
                }
                "BUTTONS" => {
                    for button in component["buttons"].as_array().into_iter().flatten() {
                        if copies_one_time_code(button) {
                            self.buttons.push(MetaButton::OneTimeCode);
                        } else {
                            self.foreign.push("a button that does more than copy the code".to_owned());
                        }
                    }
                }
                kind => self.foreign.push(format!("a part of type {kind}")),
            }
        }
        (self.body, self.footer) = (chosen.text(), chosen.footer());
    }

    /// A digest of its texts; `None` if it has parts that Hookswitch never creates.
    pub fn wording(&self) -> Option<String> {
        let texts = || wording(&self.body, self.footer.as_deref(), &self.buttons, self.header.as_ref());
        self.foreign.is_empty().then(texts)
    }
}

#[derive(Deserialize)]
pub(super) struct RawTemplate {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    status: String,
    category: Option<String>,
    #[serde(default)]
    components: Vec<Value>,
    parameter_format: Option<String>,
    quality_score: Option<Value>,
    rejected_reason: Option<String>,
}

impl From<RawTemplate> for TemplateOnMeta {
    fn from(raw: RawTemplate) -> Self {
        let mut template = TemplateOnMeta {
            id: raw.id,
            name: raw.name,
            language: raw.language,
            status: raw.status.as_str().into(),
            category: raw.category,
            body: String::new(),
            parameter_names: Vec::new(),
            footer: None,
            header: None,
            buttons: Vec::new(),
            foreign: Vec::new(),
            quality: raw.quality_score.as_ref().and_then(score),
            rejected_reason: raw.rejected_reason.filter(|reason| !reason.is_empty() && reason != "NONE"),
        };
        if template.category.as_deref() == Some(category(Category::Authentication)) {
            template.read_authentication(&raw.components);
            return template;
        }
        for component in &raw.components {
            let text = component["text"].as_str();
            match component["type"].as_str().unwrap_or_default() {
                "BODY" => template.body = text.unwrap_or_default().to_owned(),
                "FOOTER" => template.footer = text.map(str::to_owned),
                "BUTTONS" => {
                    for button in component["buttons"].as_array().into_iter().flatten() {
                        match read_button(button) {
                            Some(button) => template.buttons.push(button),
                            None => {
                                let kind = button["type"].as_str().unwrap_or("?");
                                template.foreign.push(format!("a button of type {kind}"));
                            }
                        }
                    }
                }
                "HEADER" => match read_header(component) {
                    Some(header) => template.header = Some(header),
                    None => {
                        let format = component["format"].as_str().unwrap_or("?");
                        template.foreign.push(format!("a header of the format {format}"));
                    }
                },
                kind => template.foreign.push(format!("a part of type {kind}")),
            }
        }
        if raw.parameter_format.as_deref() == Some("NAMED") {
            (template.body, template.parameter_names) = numbered(&template.body);
            template.header = template.header.take().map(|header| {
                let MetaHeader::Text(text) = header else { return header };
                let (text, names) = numbered(&text);
                if !names.is_empty() {
                    template.foreign.push("a named parameter in the header".to_owned());
                }
                MetaHeader::Text(text)
            });
            let mut names = template.parameter_names.clone();
            names.sort_unstable();
            names.dedup();
            if names.len() < template.parameter_names.len() {
                template.foreign.push("a named parameter that stands there twice".to_owned());
            }
        }
        template
    }
}

fn read_header(component: &Value) -> Option<MetaHeader> {
    match component["format"].as_str()? {
        "TEXT" => Some(MetaHeader::Text(component["text"].as_str()?.to_owned())),
        "IMAGE" => Some(MetaHeader::Media(MediaKind::Image)),
        "VIDEO" => Some(MetaHeader::Media(MediaKind::Video)),
        "DOCUMENT" => Some(MetaHeader::Media(MediaKind::Document)),
        "LOCATION" => Some(MetaHeader::Location),
        _ => None,
    }
}

/// Whether a button copies a one-time code, as it was created, or as Meta lists it: as a link.
fn copies_one_time_code(button: &Value) -> bool {
    let link = button["url"].as_str().unwrap_or_default();
    match button["type"].as_str() {
        Some("OTP") => button["otp_type"].as_str() == Some("COPY_CODE"),
        Some("URL") => link.contains("/otp/") && link.contains("otp_type=COPY_CODE"),
        _ => false,
    }
}

fn read_button(button: &Value) -> Option<MetaButton> {
    let text = |key: &str| button[key].as_str().map(str::to_owned);
    match button["type"].as_str()? {
        "QUICK_REPLY" => Some(MetaButton::Reply(text("text").unwrap_or_default())),
        "URL" => Some(MetaButton::Url { title: text("text")?, url: text("url")? }),
        "PHONE_NUMBER" => {
            // Meta may return it without the plus.
            let number = format!("+{}", digits(button["phone_number"].as_str()?));
            Some(MetaButton::Phone { title: text("text")?, number })
        }
        "COPY_CODE" => Some(MetaButton::Code),
        _ => None,
    }
}

fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

/// The body with `{{1}}`, `{{2}}`, … in place of names, and the names.
fn numbered(body: &str) -> (String, Vec<String>) {
    let (mut text, mut names) = (String::with_capacity(body.len()), Vec::new());
    let mut rest = body;
    while let Some((before, name, after)) = rest.split_once("{{").and_then(|(before, after)| {
        let (name, after) = after.split_once("}}")?;
        Some((before, name, after))
    }) {
        names.push(name.trim().to_owned());
        text.push_str(before);
        text.push_str(&format!("{{{{{}}}}}", names.len()));
        rest = after;
    }
    text.push_str(rest);
    (text, names)
}

/// An object with the score, or in some versions the score itself.
fn score(quality: &Value) -> Option<String> {
    quality["score"].as_str().or(quality.as_str()).map(str::to_owned)
}

#[derive(Deserialize)]
pub(super) struct Created {
    pub status: Option<String>,
}

/// The body of `POST /{account}/message_templates`; `handle` is that of the uploaded example of a file in the header.
pub(super) fn create_body(name: &str, definition: &MetaTemplate, handle: Option<&str>) -> Value {
    if let Some(chosen) = definition.authentication {
        return create_authentication(name, definition, chosen);
    }
    let mut body = json!({"type": "BODY", "text": definition.body});
    if !definition.examples.is_empty() {
        let examples: Vec<_> = definition.examples.iter().map(|example| parameter(example)).collect();
        body["example"] = json!({"body_text": [examples]});
    }
    let example = handle.unwrap_or(&definition.header_example);
    let header = definition.header.as_ref().map(|header| write_header(header, example));
    let mut components: Vec<Value> = header.into_iter().chain([body]).collect();
    if let Some(footer) = &definition.footer {
        components.push(json!({"type": "FOOTER", "text": footer}));
    }
    if !definition.buttons.is_empty() {
        let examples = definition.button_examples.iter().map(String::as_str).chain(std::iter::repeat(""));
        let buttons: Vec<Value> = definition
            .buttons
            .iter()
            .zip(examples)
            .map(|(button, example)| write_button(button, example))
            .collect();
        components.push(json!({"type": "BUTTONS", "buttons": buttons}));
    }
    json!({
        "name": name,
        "language": definition.language,
        "category": category(definition.category),
        "parameter_format": "POSITIONAL",
        "components": components,
    })
}

/// Meta adds the words.
fn create_authentication(name: &str, definition: &MetaTemplate, chosen: Authentication) -> Value {
    let body = json!({"type": "BODY", "add_security_recommendation": chosen.security_recommendation});
    let footer = chosen
        .expiration_minutes
        .map(|minutes| json!({"type": "FOOTER", "code_expiration_minutes": minutes}));
    let buttons = json!({"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE"}]});
    let components: Vec<Value> = [body].into_iter().chain(footer).chain([buttons]).collect();
    json!({
        "name": name,
        "language": definition.language,
        "category": category(definition.category),
        "components": components,
    })
}

/// `example` is the value of a text, or the handle of a file.
fn write_header(header: &MetaHeader, example: &str) -> Value {
    match header {
        MetaHeader::Text(text) if header.has_value() => json!({
            "type": "HEADER",
            "format": "TEXT",
            "text": text,
            "example": {"header_text": [parameter(example)]},
        }),
        MetaHeader::Text(text) => json!({"type": "HEADER", "format": "TEXT", "text": text}),
        MetaHeader::Media(kind) => json!({
            "type": "HEADER",
            "format": kind.as_str().to_uppercase(),
            "example": {"header_handle": [example]},
        }),
        MetaHeader::Location => json!({"type": "HEADER", "format": "LOCATION"}),
    }
}

fn write_button(button: &MetaButton, example: &str) -> Value {
    match button {
        MetaButton::Reply(title) => json!({"type": "QUICK_REPLY", "text": title}),
        MetaButton::Url { title, url } if button.has_value() => {
            // An example of the whole link.
            let example = url.replace("{{1}}", example);
            json!({"type": "URL", "text": title, "url": url, "example": [example]})
        }
        MetaButton::Url { title, url } => json!({"type": "URL", "text": title, "url": url}),
        MetaButton::Phone { title, number } => {
            json!({"type": "PHONE_NUMBER", "text": title, "phone_number": number})
        }
        MetaButton::OneTimeCode => json!({"type": "OTP", "otp_type": "COPY_CODE"}),
        MetaButton::Code => {
            let example: String = example.chars().filter(|c| !c.is_whitespace()).take(15).collect();
            json!({"type": "COPY_CODE", "example": example})
        }
    }
}

/// Meta's name of a category.
pub fn category(category: Category) -> &'static str {
    match category {
        Category::Utility => "UTILITY",
        Category::Marketing => "MARKETING",
        Category::Authentication => "AUTHENTICATION",
    }
}
