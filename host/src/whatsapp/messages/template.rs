//! A message as a Meta template, in Meta's JSON.

use std::borrow::Cow;

use hookswitch_core::{
    domain::{Action, Button, Header, HeaderText, Location, Message},
    plan::parameter,
};
use serde::Serialize;

use super::free_form::Media;

#[derive(Serialize)]
pub(super) struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Language<'a> {
    code: &'a str,
}

#[derive(Serialize)]
struct Component<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<String>,
    parameters: Vec<Parameter<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Parameter<'a> {
    Text {
        #[serde(skip_serializing_if = "Option::is_none")]
        parameter_name: Option<&'a str>,
        text: Cow<'a, str>,
    },
    Image {
        image: Media<'a>,
    },
    Video {
        video: Media<'a>,
    },
    Document {
        document: Media<'a>,
    },
    Location {
        location: &'a Location,
    },
    Payload {
        payload: &'a str,
    },
    CouponCode {
        coupon_code: &'a str,
    },
}

/// Header and buttons of a message as a template.
pub(super) fn parts(message: &Message) -> (Option<&Header>, &[Button]) {
    match &message.meta_parts {
        Some(parts) => (parts.header.as_ref(), &parts.buttons),
        None => (message.header.as_ref(), &message.buttons),
    }
}

/// The template with its values.
pub(super) fn template<'a>(message: &'a Message, media_id: Option<&'a str>) -> Template<'a> {
    let (header, buttons) = parts(message);
    let header = header.and_then(|header| of_header(header, media_id));
    let mut components: Vec<Component<'_>> = header.into_iter().collect();
    let names = message.parameter_names.iter().map(|name| Some(name.as_str()));
    let parameters: Vec<_> = (message.parameters.iter().zip(names.chain(std::iter::repeat(None))))
        .map(|(value, parameter_name)| Parameter::Text { parameter_name, text: parameter(value) })
        .collect();
    if !parameters.is_empty() {
        components.push(Component { kind: "body", sub_type: None, index: None, parameters });
    }
    let buttons = buttons.iter().filter(|button| button.action.is_at_meta());
    components.extend(buttons.enumerate().filter_map(|(index, button)| of_button(index, button)));
    Template { name: &message.template, language: Language { code: &message.language }, components }
}

fn of_header<'a>(header: &'a Header, media_id: Option<&'a str>) -> Option<Component<'a>> {
    let parameter = match header {
        Header::Text(HeaderText { value, .. }) => {
            Parameter::Text { parameter_name: None, text: parameter(value.as_deref()?) }
        }
        Header::Image(file) => Parameter::Image { image: Media::new(file, media_id) },
        Header::Video(file) => Parameter::Video { video: Media::new(file, media_id) },
        Header::Document(file) => Parameter::Document { document: Media::new(file, media_id) },
        Header::Location(location) => Parameter::Location { location },
    };
    Some(Component { kind: "header", sub_type: None, index: None, parameters: vec![parameter] })
}

/// What a button needs in a send. Without its payload, Meta would return the title of a quick reply in place of its id.
fn of_button(index: usize, button: &Button) -> Option<Component<'_>> {
    let (sub_type, parameter) = match &button.action {
        Action::Id(payload) => ("quick_reply", Parameter::Payload { payload }),
        Action::Url(_) => {
            let text = button.suffix.as_deref()?.into();
            ("url", Parameter::Text { parameter_name: None, text })
        }
        Action::Code(coupon_code) => ("copy_code", Parameter::CouponCode { coupon_code }),
        Action::Phone(_) | Action::List(_) | Action::AskLocation => return None,
    };
    let (sub_type, index) = (Some(sub_type), Some(index.to_string()));
    Some(Component { kind: "button", sub_type, index, parameters: vec![parameter] })
}
