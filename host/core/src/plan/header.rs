//! The header of a template: compiled, checked, and rendered for a message.

use minijinja::{Environment, Value as Rendered};

use super::{
    field::{Field, Reader, in_a_link, split},
    front::{FrontMedia, Scalar},
    media::MediaKind,
    parameter::parameter,
    template::Wrong,
};
use crate::domain::{File, FileSource, Header, HeaderText, Location};

/// Maximum length of a link, in characters.
pub(super) const LINK_LIMIT: usize = 2_000;
/// How the name of a file of the rules begins.
const FILES: &str = "files/";
/// Maximum length of the name of a document, in characters.
const FILENAME_LIMIT: usize = 240;
/// Maximum length of the name and the address of a place, in characters.
const PLACE_LIMIT: usize = 1_000;
/// Maximum length of a header, in characters.
const HEADER_LIMIT: usize = 60;

/// A header.
#[derive(Debug)]
pub(super) enum HeaderPart {
    Text(Field),
    Media { kind: MediaKind, source: MediaSource, filename: Option<Field>, example: Option<String> },
    Location { latitude: Field, longitude: Field, name: Field, address: Field },
}

/// Where the file of a header comes from.
#[derive(Debug)]
pub(super) enum MediaSource {
    /// A link.
    Link(Field),
    /// A file beside the templates, as written: `files/menu.pdf`.
    File(String),
}

impl HeaderPart {
    /// The header of a message. `file` is that of the template.
    ///
    /// # Errors
    /// Which of its parts has no value, or not one that can be sent.
    pub fn render(
        &self,
        environment: &Environment<'static>,
        context: &Rendered,
        file: &str,
    ) -> Result<Header, String> {
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
            HeaderPart::Media { kind, source, filename, .. } => {
                let source = match source {
                    MediaSource::File(path) => FileSource::Rules(beside(file, path)),
                    MediaSource::Link(field) => FileSource::Link(link(*kind, field, environment, context)?),
                };
                let filename = filename.as_ref().map(|name| whole(name, "filename")).transpose()?;
                let filename =
                    filename.filter(|name| !name.is_empty()).map(|name| cut(&name, FILENAME_LIMIT));
                // People see the name of a document.
                let filename = match &source {
                    FileSource::Rules(path) if *kind == MediaKind::Document => {
                        filename.or_else(|| path.rsplit('/').next().map(str::to_owned))
                    }
                    _ => filename,
                };
                let file = File { source, filename };
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

/// The link of a file, with its values.
fn link(
    kind: MediaKind,
    field: &Field,
    environment: &Environment<'static>,
    context: &Rendered,
) -> Result<String, String> {
    let link = field
        .fill(environment, context, in_a_link)
        .map_err(|failure| format!("the header's {kind}: {failure}"))?
        .text;
    let host = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with(['/', '?', '#'])) {
        return Err(format!("the header's {kind} must be a link to a file, got {link:?}"));
    }
    if link.chars().count() > LINK_LIMIT {
        return Err(format!("the header's {kind}: the link has more than {LINK_LIMIT} characters"));
    }
    Ok(link)
}

/// The path of a file that a template names: relative to the folder of its domain.
pub(super) fn beside(template: &str, file: &str) -> String {
    match template.rsplit_once("/templates/") {
        Some((domain, _)) => format!("{domain}/{file}"),
        None => file.to_owned(),
    }
}

/// Compiles a line of text.
pub(super) fn header_part(text: &str, reader: &mut Reader<'_>) -> Option<HeaderPart> {
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

/// Compiles a file or a place.
pub(super) fn media_part(media: &FrontMedia, reader: &mut Reader<'_>) -> Option<HeaderPart> {
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
    let source = match link.trim() {
        path if path.starts_with(FILES) => {
            if !split(path).1.is_empty() {
                let message = format!("the name of a file of the rules cannot have variables, got {path:?}");
                reader.wrong.push(Wrong::at(reader.line, 1, message));
            }
            MediaSource::File(path.to_owned())
        }
        text => {
            let link = reader.link(text)?;
            let is_whole = link.before.is_empty() && link.has_value();
            if !is_whole && let Some(message) = link_error(&link) {
                let help =
                    "or name a file in the folder `files` beside `templates`, for example `files/menu.pdf`";
                reader.wrong.push(Wrong::at(reader.line, 1, message).help(help));
            }
            MediaSource::Link(link)
        }
    };
    let filename = match &media.filename {
        Some(name) => Some(reader.whole(name)?),
        None => None,
    };
    Some(HeaderPart::Media { kind, source, filename, example: media.example.clone() })
}

/// What is wrong with the fixed part of a link.
pub(super) fn link_error(link: &Field) -> Option<String> {
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
pub(super) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}
