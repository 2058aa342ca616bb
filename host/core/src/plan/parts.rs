//! A template's header and buttons: compiled, checked, and rendered for a message.

use minijinja::{Environment, Value as Rendered};

use super::{
    field::{Field, Reader, in_a_link},
    front::{FrontButton, FrontHeader, line_of},
    header::{HeaderPart, LINK_LIMIT, MediaSource, header_part, link_error, media_part},
    media::MediaKind,
    meta_parts::{MetaButton, MetaHeader},
    rows::{self, RowPart},
    template::{Category, Wrong},
};
use crate::domain::{Action, Button, COPY_CODE, COPY_ONE_TIME_CODE, HIDDEN, Header, SEND_LOCATION, carried};

/// How the names of files end that a header can be.
const FILES: [&str; 6] = ["jpg", "jpeg", "png", "mp4", "3gp", "pdf"];
/// Maximum length of a code to copy, in characters.
const CODE_LIMIT: usize = 15;

/// Header and buttons of a template.
#[derive(Debug, Default)]
pub(super) struct Parts {
    header: Option<HeaderPart>,
    buttons: Vec<ButtonPart>,
}

#[derive(Debug)]
enum ButtonPart {
    Reply { id: String, title: String },
    Url { title: String, link: Field },
    Phone { title: String, number: String },
    Code(Field),
    List { title: String, rows: Vec<RowPart> },
    AskLocation,
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
        let buttons = buttons.map(of_category).collect();
        let parts = Parts { header, buttons };
        if let (Some(what), Some(HeaderPart::Media { .. })) = (parts.only_in_a_window(), &parts.header) {
            let message = format!("a message with a {what} cannot have a file above it");
            reader.wrong.push(Wrong::at(line_of(source, "header"), 1, message));
        }
        parts
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

    /// The example of a file in the header, as written; if the file is one of the rules, it is its own example.
    pub fn example(&self) -> Option<&str> {
        match &self.header {
            Some(HeaderPart::Media { example: Some(example), .. }) => Some(example),
            Some(HeaderPart::Media { source: MediaSource::File(file), .. }) => Some(file),
            _ => None,
        }
    }

    /// The kind and the name, as written, of a file of the rules in the header.
    pub fn file(&self) -> Option<(MediaKind, &str)> {
        match &self.header {
            Some(HeaderPart::Media { kind, source: MediaSource::File(file), .. }) => Some((*kind, file)),
            _ => None,
        }
    }

    /// The fixed link of a file in the header.
    pub fn fixed_link(&self) -> Option<(MediaKind, &str)> {
        match &self.header {
            Some(HeaderPart::Media { kind, source: MediaSource::Link(link), .. }) if !link.has_value() => {
                Some((*kind, &link.before))
            }
            _ => None,
        }
    }

    /// Whether the header is a text that is nothing but a link or the name of a file.
    pub fn has_link_as_text(&self) -> bool {
        let Some(HeaderPart::Text(field)) = &self.header else { return false };
        let text = format!("{}{}", field.before, field.after);
        let is_file = text.rsplit_once('.').is_some_and(|(_, ending)| FILES.contains(&ending));
        let is_link = text.starts_with("https://") || text.starts_with("http://");
        (is_link || is_file) && !text.contains(char::is_whitespace)
    }

    /// What only a free-form message can have, in words.
    pub fn only_in_a_window(&self) -> Option<&'static str> {
        self.buttons.iter().find_map(|button| match button {
            ButtonPart::List { .. } => Some("list"),
            ButtonPart::AskLocation => Some("request for a location"),
            _ => None,
        })
    }

    /// The buttons as Meta has them, without those that it cannot have.
    pub fn meta_buttons(&self) -> Vec<MetaButton> {
        let buttons = self.buttons.iter().filter_map(|button| match button {
            ButtonPart::Reply { title, .. } => Some(MetaButton::Reply(title.clone())),
            ButtonPart::Url { title, link } => {
                Some(MetaButton::Url { title: title.clone(), url: link.at_meta() })
            }
            ButtonPart::Phone { title, number } => {
                Some(MetaButton::Phone { title: title.clone(), number: number.clone() })
            }
            ButtonPart::Code(_) => Some(MetaButton::Code),
            ButtonPart::OneTimeCode(_) => Some(MetaButton::OneTimeCode),
            ButtonPart::List { .. } | ButtonPart::AskLocation => None,
        });
        buttons.collect()
    }

    /// The sources of the values in the header and in each button at Meta; empty for one without.
    pub fn sources(&self) -> (&str, Vec<&str>) {
        let header = match &self.header {
            Some(HeaderPart::Text(field)) => field.source(),
            Some(HeaderPart::Media { .. } | HeaderPart::Location { .. }) | None => "",
        };
        let buttons = self.buttons.iter().filter_map(|button| match button {
            ButtonPart::Url { link, .. } => Some(link.source()),
            // Meta needs an example of a fixed code too.
            ButtonPart::Code(code) if !code.has_value() => Some(code.before.as_str()),
            ButtonPart::Code(code) | ButtonPart::OneTimeCode(code) => Some(code.source()),
            ButtonPart::Reply { .. } | ButtonPart::Phone { .. } => Some(""),
            ButtonPart::List { .. } | ButtonPart::AskLocation => None,
        });
        (header, buttons.collect())
    }

    /// The keys of what a free-form message with this body or a Meta template cannot have, and how it looks there.
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
        if let Some(what) = self.only_in_a_window() {
            notes.push((
                "buttons",
                format!(
                    "outside the 24-hour window, where Meta's templates have no {what}, the message goes out without it: \
                     its text must say what to answer"
                ),
            ));
        }
        if !lines.is_empty() {
            let (are, they) =
                if lines.len() == 1 { ("button is a line", "it") } else { ("buttons are lines", "they") };
            notes.push((
                "buttons",
                format!(
                    "in an open window, where a message has either {} or one link, {} {are} of text: {they} will read \
                     {}",
                    match self.only_in_a_window() {
                        Some(what) => format!("a {what}"),
                        None => "quick replies".to_owned(),
                    },
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
            ButtonPart::List { title, rows } => {
                Button { title: title.clone(), action: Action::List(rows::shown(rows)), suffix: None }
            }
            ButtonPart::AskLocation => ask_location(),
            ButtonPart::OneTimeCode(code) => one_time_code(shown(code)),
        });
        buttons.collect()
    }

    /// Header and buttons of a message. `file` is that of the template, beside whose folder its files are.
    ///
    /// # Errors
    /// Which of them has no value, or not one that can be sent.
    pub fn render(
        &self,
        environment: &Environment<'static>,
        context: &Rendered,
        file: &str,
    ) -> Result<(Option<Header>, Vec<Button>), String> {
        let header = match &self.header {
            None => None,
            Some(header) => Some(header.render(environment, context, file)?),
        };
        let buttons = self.buttons.iter().map(|button| button.render(environment, context));
        Ok((header, buttons.collect::<Result<_, _>>()?))
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
            ButtonPart::List { title, rows } => {
                let sections = rows::render(rows, environment, context)
                    .map_err(|failure| format!("the list {title:?}: {failure}"))?;
                Ok(Button { title: title.clone(), action: Action::List(sections), suffix: None })
            }
            ButtonPart::AskLocation => Ok(ask_location()),
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

fn ask_location() -> Button {
    Button { title: SEND_LOCATION.to_owned(), action: Action::AskLocation, suffix: None }
}

fn one_time_code(code: String) -> Button {
    Button { title: COPY_ONE_TIME_CODE.to_owned(), action: Action::Code(code.clone()), suffix: Some(code) }
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
    if let Some(rows) = &button.list {
        let rows = rows.iter().map(|row| RowPart::compile(row, reader));
        return Some(ButtonPart::List { title, rows: rows.collect::<Option<_>>()? });
    }
    if button.ask.is_some() {
        return Some(ButtonPart::AskLocation);
    }
    let link = reader.link(button.url.as_deref()?.trim())?;
    if let Some(message) = link_error(&link) {
        reader.wrong.push(Wrong::at(reader.line, 1, message));
    }
    Some(ButtonPart::Url { title, link })
}
