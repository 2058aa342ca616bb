//! A template's header and buttons: compiled, checked, and rendered for a message.

use minijinja::{Environment, Value as Rendered};

use super::{
    field::{Field, Reader, in_a_link},
    front::{FrontButton, FrontHeader, FrontMedia, Scalar, line_of},
    media::MediaKind,
    meta_parts::{MetaButton, MetaHeader},
    parameter::parameter,
    template::{Category, Wrong},
};
use crate::domain::{
    Action, Button, COPY_CODE, COPY_ONE_TIME_CODE, File, HIDDEN, Header, HeaderText, Location, carried,
};

/// Maximum length of a link, in characters.
const LINK_LIMIT: usize = 2_000;
/// Maximum length of a code to copy, in characters.
const CODE_LIMIT: usize = 15;
/// Maximum length of the name of a document, in characters.
const FILENAME_LIMIT: usize = 240;
/// Maximum length of the name and the address of a place, in characters.
const PLACE_LIMIT: usize = 1_000;
/// Maximum length of a header, in characters.
pub(super) const HEADER_LIMIT: usize = 60;

/// Header and buttons of a template.
#[derive(Debug, Default)]
pub(super) struct Parts {
    header: Option<HeaderPart>,
    buttons: Vec<ButtonPart>,
}

#[derive(Debug)]
enum HeaderPart {
    Text(Field),
    Media { kind: MediaKind, link: Field, filename: Option<Field>, example: Option<String> },
    Location { latitude: Field, longitude: Field, name: Field, address: Field },
}

#[derive(Debug)]
enum ButtonPart {
    Reply { id: String, title: String },
    Url { title: String, link: Field },
    Phone { title: String, number: String },
    Code(Field),
    OneTimeCode(Field),
}

impl Parts {
    /// Compiles the header and the buttons, and adds what is wrong with them.
    pub fn compile(
        source: &str,
        category: Category,
        header: Option<&FrontHeader>,
        buttons: &[FrontButton],
        mut reader: Reader<'_>,
    ) -> Parts {
        reader.line = line_of(source, "header");
        let header = header.and_then(|header| match header {
            FrontHeader::Text(text) => header_part(text, &mut reader),
            FrontHeader::Other(media) => media_part(media, &mut reader),
        });
        reader.line = line_of(source, "buttons");
        let buttons = buttons.iter().filter_map(|button| button_part(button, &mut reader));
        let of_category = |button| match button {
            ButtonPart::Code(code) if category == Category::Authentication => ButtonPart::OneTimeCode(code),
            button => button,
        };
        Parts { header, buttons: buttons.map(of_category).collect() }
    }

    /// The source of the code of an authentication template.
    pub fn one_time_code(&self) -> Option<&str> {
        self.buttons.iter().find_map(|button| match button {
            ButtonPart::OneTimeCode(code) => Some(code.source()),
            _ => None,
        })
    }

    /// The header as Meta has it.
    pub fn meta_header(&self) -> Option<MetaHeader> {
        self.header.as_ref().map(|header| match header {
            HeaderPart::Text(field) => MetaHeader::Text(field.at_meta()),
            HeaderPart::Media { kind, .. } => MetaHeader::Media(*kind),
            HeaderPart::Location { .. } => MetaHeader::Location,
        })
    }

    /// The example of a file in the header, as written.
    pub fn example(&self) -> Option<&str> {
        match &self.header {
            Some(HeaderPart::Media { example, .. }) => example.as_deref(),
            _ => None,
        }
    }

    /// The buttons as Meta has them.
    pub fn meta_buttons(&self) -> Vec<MetaButton> {
        let buttons = self.buttons.iter().map(|button| match button {
            ButtonPart::Reply { title, .. } => MetaButton::Reply(title.clone()),
            ButtonPart::Url { title, link } => MetaButton::Url { title: title.clone(), url: link.at_meta() },
            ButtonPart::Phone { title, number } => {
                MetaButton::Phone { title: title.clone(), number: number.clone() }
            }
            ButtonPart::Code(_) => MetaButton::Code,
            ButtonPart::OneTimeCode(_) => MetaButton::OneTimeCode,
        });
        buttons.collect()
    }

    /// The sources of the values in the header and in each button; empty for one without.
    pub fn sources(&self) -> (&str, Vec<&str>) {
        let header = match &self.header {
            Some(HeaderPart::Text(field)) => field.source(),
            Some(HeaderPart::Media { .. } | HeaderPart::Location { .. }) | None => "",
        };
        let buttons = self.buttons.iter().map(|button| match button {
            ButtonPart::Url { link, .. } => link.source(),
            // Meta needs an example of a fixed code too.
            ButtonPart::Code(code) if !code.has_value() => &code.before,
            ButtonPart::Code(code) | ButtonPart::OneTimeCode(code) => code.source(),
            ButtonPart::Reply { .. } | ButtonPart::Phone { .. } => "",
        });
        (header, buttons.collect())
    }

    /// The keys of what a free-form message with this body cannot have, and how it looks there.
    pub fn notes(&self, body: &str) -> Vec<(&'static str, String)> {
        let buttons = self.shown();
        let is_carried = carried(&buttons);
        let is_said = |button: &&Button| button.suffix.as_deref().is_some_and(|code| body.contains(code));
        let lines: Vec<String> = buttons
            .iter()
            .filter(|button| !is_carried(button) && !is_said(button))
            .map(|button| format!("`{}`", button.line()))
            .collect();
        let mut notes = Vec::new();
        if matches!(self.header, Some(HeaderPart::Location { .. })) {
            let message = "in an open window, where a text has no map above it, the place is a line of text with a link";
            notes.push(("header", message.to_owned()));
        }
        if !lines.is_empty() {
            let (are, they) =
                if lines.len() == 1 { ("button is a line", "it") } else { ("buttons are lines", "they") };
            notes.push((
                "buttons",
                format!(
                    "in an open window, where a message has either quick replies or one link, {} {are} of text: {they} \
                     will read {}",
                    lines.len(),
                    lines.join(", ")
                ),
            ));
        }
        notes
    }

    /// The buttons, with the sources of their values in place of these.
    fn shown(&self) -> Vec<Button> {
        let shown = |field: &Field| format!("{}{}", field.before, field.source());
        let buttons = self.buttons.iter().map(|button| match button {
            ButtonPart::Reply { id, title } => Button::reply(id, title),
            ButtonPart::Url { title, link } => {
                Button { title: title.clone(), action: Action::Url(shown(link)), suffix: None }
            }
            ButtonPart::Phone { title, number } => {
                Button { title: title.clone(), action: Action::Phone(number.clone()), suffix: None }
            }
            ButtonPart::Code(code) => {
                Button { title: COPY_CODE.to_owned(), action: Action::Code(shown(code)), suffix: None }
            }
            ButtonPart::OneTimeCode(code) => one_time_code(shown(code)),
        });
        buttons.collect()
    }

    /// Header and buttons of a message.
    ///
    /// # Errors
    /// Which of them has no value, or not one that can be sent.
    pub fn render(
        &self,
        environment: &Environment<'static>,
        context: &Rendered,
    ) -> Result<(Option<Header>, Vec<Button>), String> {
        let header = match &self.header {
            None => None,
            Some(header) => Some(header.render(environment, context)?),
        };
        let buttons = self.buttons.iter().map(|button| button.render(environment, context));
        Ok((header, buttons.collect::<Result<_, _>>()?))
    }
}

impl HeaderPart {
    fn render(&self, environment: &Environment<'static>, context: &Rendered) -> Result<Header, String> {
        let whole = |field: &Field, what: &str| {
            let filled = field.fill(environment, context, str::to_owned);
            filled.map(|filled| filled.text).map_err(|failure| format!("the header's {what}: {failure}"))
        };
        match self {
            HeaderPart::Text(field) => {
                let fixed = field.before.chars().count() + field.after.chars().count();
                let room = HEADER_LIMIT.saturating_sub(fixed);
                let filled = field
                    .fill(environment, context, |value| cut(&parameter(value), room))
                    .map_err(|failure| format!("the header: {failure}"))?;
                Ok(Header::Text(HeaderText { text: filled.text, value: filled.value }))
            }
            HeaderPart::Media { kind, link: field, filename, .. } => {
                let link = field
                    .fill(environment, context, in_a_link)
                    .map_err(|failure| format!("the header's {kind}: {failure}"))?;
                let link = link.text;
                let host = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
                if host.is_none_or(|host| host.is_empty() || host.starts_with(['/', '?', '#'])) {
                    return Err(format!("the header's {kind} must be a link to a file, got {link:?}"));
                }
                if link.chars().count() > LINK_LIMIT {
                    return Err(format!(
                        "the header's {kind}: the link has more than {LINK_LIMIT} characters"
                    ));
                }
                let filename = filename.as_ref().map(|name| whole(name, "filename")).transpose()?;
                let filename =
                    filename.filter(|name| !name.is_empty()).map(|name| cut(&name, FILENAME_LIMIT));
                let file = File { link, filename };
                Ok(match kind {
                    MediaKind::Image => Header::Image(file),
                    MediaKind::Video => Header::Video(file),
                    MediaKind::Document => Header::Document(file),
                })
            }
            HeaderPart::Location { latitude, longitude, name, address } => {
                let degrees = |field: &Field, what: &str, limit: f64| {
                    let text = whole(field, what)?;
                    let number = text.trim().parse::<f64>().ok().filter(|number| number.abs() <= limit);
                    number.ok_or_else(|| {
                        format!("the header's {what} must be a number from -{limit} to {limit}, got {text:?}")
                    })
                };
                Ok(Header::Location(Location {
                    latitude: degrees(latitude, "latitude", 90.0)?,
                    longitude: degrees(longitude, "longitude", 180.0)?,
                    name: cut(&whole(name, "name")?, PLACE_LIMIT),
                    address: cut(&whole(address, "address")?, PLACE_LIMIT),
                }))
            }
        }
    }
}

impl ButtonPart {
    fn render(&self, environment: &Environment<'static>, context: &Rendered) -> Result<Button, String> {
        match self {
            ButtonPart::Reply { id, title } => Ok(Button::reply(id, title)),
            ButtonPart::Phone { title, number } => {
                Ok(Button { title: title.clone(), action: Action::Phone(number.clone()), suffix: None })
            }
            ButtonPart::Url { title, link } => {
                let filled = link
                    .fill(environment, context, in_a_link)
                    .map_err(|failure| format!("the button {title:?}: {failure}"))?;
                if filled.value.as_deref() == Some("") {
                    return Err(format!("the button {title:?}: `{}` is empty", link.source()));
                }
                if filled.text.chars().count() > LINK_LIMIT {
                    return Err(format!(
                        "the button {title:?}: the link has more than {LINK_LIMIT} characters"
                    ));
                }
                let (action, suffix) = (Action::Url(filled.text), filled.value);
                Ok(Button { title: title.clone(), action, suffix })
            }
            ButtonPart::Code(code) => {
                let filled = code
                    .fill(environment, context, str::to_owned)
                    .map_err(|failure| format!("the button that copies a code: {failure}"))?;
                let code = filled.text;
                if !(1..=CODE_LIMIT).contains(&code.chars().count()) {
                    return Err(format!(
                        "the button that copies a code: a code has 1 to {CODE_LIMIT} characters, got {code:?}"
                    ));
                }
                Ok(Button { title: COPY_CODE.to_owned(), action: Action::Code(code), suffix: None })
            }
            ButtonPart::OneTimeCode(code) => {
                let filled = code
                    .fill(environment, context, str::to_owned)
                    .map_err(|failure| format!("the one-time code: {failure}"))?;
                let code = filled.text;
                // Meta allows no links, no emoji and nothing longer.
                let is_fit =
                    |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ' ') || HIDDEN.contains(c);
                if !(1..=CODE_LIMIT).contains(&code.chars().count()) || !code.chars().all(is_fit) {
                    return Err(format!(
                        "a one-time code has 1 to {CODE_LIMIT} letters, digits, spaces and hyphens, got {code:?}"
                    ));
                }
                Ok(one_time_code(code))
            }
        }
    }
}

fn one_time_code(code: String) -> Button {
    Button { title: COPY_ONE_TIME_CODE.to_owned(), action: Action::Code(code.clone()), suffix: Some(code) }
}

fn header_part(text: &str, reader: &mut Reader<'_>) -> Option<HeaderPart> {
    let field = reader.text(text.trim())?;
    let fixed = field.before.chars().count() + field.after.chars().count();
    let mut wrong = |message: String| reader.wrong.push(Wrong::at(reader.line, 1, message));
    if fixed > HEADER_LIMIT {
        wrong(format!("a header has at most {HEADER_LIMIT} characters"));
    } else if field.has_value() && fixed + 10 > HEADER_LIMIT {
        wrong(format!("a header has at most {HEADER_LIMIT} characters; leave at least 10 for its value"));
    }
    let words = [&field.before, &field.after];
    if words.iter().any(|words| words.contains(['\n', '*', '_', '~', '`'])) {
        wrong("a header is one line without formatting; WhatsApp shows it in bold".to_owned());
    }
    if !words.iter().any(|words| words.contains(char::is_alphanumeric)) {
        wrong("a header must have words beside its value".to_owned());
    }
    Some(HeaderPart::Text(field))
}

fn media_part(media: &FrontMedia, reader: &mut Reader<'_>) -> Option<HeaderPart> {
    if let Some(place) = &media.location {
        let mut number = |scalar: &Scalar| match scalar {
            Scalar::Number(number) => reader.whole(&number.to_string()),
            Scalar::Text(text) => reader.whole(text),
        };
        let (latitude, longitude) = (number(&place.latitude)?, number(&place.longitude)?);
        let (name, address) = (reader.whole(&place.name)?, reader.whole(&place.address)?);
        return Some(HeaderPart::Location { latitude, longitude, name, address });
    }
    let (kind, link) = [
        (MediaKind::Image, &media.image),
        (MediaKind::Video, &media.video),
        (MediaKind::Document, &media.document),
    ]
    .into_iter()
    .find_map(|(kind, link)| Some((kind, link.as_deref()?)))?;
    let link = reader.link(link.trim())?;
    let is_whole = link.before.is_empty() && link.has_value();
    if !is_whole && let Some(message) = link_error(&link) {
        reader.wrong.push(Wrong::at(reader.line, 1, message));
    }
    let filename = match &media.filename {
        Some(name) => Some(reader.whole(name)?),
        None => None,
    };
    Some(HeaderPart::Media { kind, link, filename, example: media.example.clone() })
}

fn button_part(button: &FrontButton, reader: &mut Reader<'_>) -> Option<ButtonPart> {
    let title = button.title.clone().unwrap_or_default();
    if let Some(id) = &button.id {
        return Some(ButtonPart::Reply { id: id.clone(), title });
    }
    if let Some(number) = &button.phone {
        return Some(ButtonPart::Phone { title, number: number.replace([' ', '-', '(', ')'], "") });
    }
    if let Some(code) = &button.code {
        let field = reader.whole(code)?;
        if !field.has_value() && !(1..=CODE_LIMIT).contains(&code.chars().count()) {
            let message = format!("a code to copy has 1 to {CODE_LIMIT} characters, got {code:?}");
            reader.wrong.push(Wrong::at(reader.line, 1, message));
        }
        return Some(ButtonPart::Code(field));
    }
    let link = reader.link(button.url.as_deref()?.trim())?;
    if let Some(message) = link_error(&link) {
        reader.wrong.push(Wrong::at(reader.line, 1, message));
    }
    Some(ButtonPart::Url { title, link })
}

/// What is wrong with the fixed part of a link.
fn link_error(link: &Field) -> Option<String> {
    let fixed = &link.before;
    let host = fixed.strip_prefix("https://").or_else(|| fixed.strip_prefix("http://"));
    let Some(host) = host.filter(|host| !host.starts_with(['/', '?', '#']) && !host.is_empty()) else {
        return Some(format!("a link begins with https:// and a host, got {:?}", link.at_meta()));
    };
    if fixed.contains(|c: char| c.is_whitespace() || !c.is_ascii()) {
        return Some(format!("a link has no spaces and only ASCII characters, got {fixed:?}"));
    }
    if link.has_value() && !host.contains('/') {
        return Some(format!("a value can only stand at the end of a link, after the host, got {fixed:?}"));
    }
    (fixed.chars().count() > LINK_LIMIT).then(|| format!("a link has at most {LINK_LIMIT} characters"))
}

/// Cuts a text to `limit` characters, ending in an ellipsis.
fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}
