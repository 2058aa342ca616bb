//! The media that a message names by id.

use serde_json::Value;

/// The objects that name media, in a message or within it.
const MEDIA: [&str; 5] = ["audio", "document", "image", "sticker", "video"];

/// Media by its id.
#[derive(Debug, PartialEq)]
pub struct MediaReference<'a> {
    /// `image`, for example.
    pub kind: &'a str,
    /// Meta's id of it.
    pub id: String,
    /// Where it stands, as Graph writes it: `template['components'][0]['parameters'][0]['image']['id']`.
    pub place: String,
}

/// All media that a checked message names by id.
pub fn media_references<'a>(body: &'a Value, kind: &'a str) -> Vec<MediaReference<'a>> {
    let mut found = Vec::new();
    if let Some(object) = body.get(kind) {
        visit(object, &mut vec![Step::Name(kind)], &mut found);
    }
    found
}

/// A step on the way to an object.
#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// No deeper than the reader of JSON goes.
fn visit<'a>(value: &'a Value, path: &mut Vec<Step<'a>>, found: &mut Vec<MediaReference<'a>>) {
    match value {
        Value::Object(members) => {
            if let Some(Step::Name(kind)) = path.last().copied().filter(is_media)
                && let Some(id) = id(members.get("id"))
            {
                found.push(MediaReference { kind, id, place: place(path) });
            }
            for (name, member) in members {
                path.push(Step::Name(name));
                visit(member, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                visit(item, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn is_media(step: &Step<'_>) -> bool {
    matches!(step, Step::Name(name) if MEDIA.contains(name))
}

fn id(id: Option<&Value>) -> Option<String> {
    match id {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    }
}

fn place(path: &[Step<'_>]) -> String {
    let steps = path.iter().enumerate().map(|(depth, step)| match step {
        Step::Name(name) if depth == 0 => (*name).to_owned(),
        Step::Name(name) => format!("['{name}']"),
        Step::Index(index) => format!("[{index}]"),
    });
    steps.chain(["['id']".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn media_is_found_wherever_it_stands() {
        let places = |body: Value, kind: &str| -> Vec<String> {
            media_references(&body, kind).into_iter().map(|found| found.place).collect()
        };
        let image = json!({"type": "image", "image": {"id": "1", "caption": "c"}});
        assert_eq!(places(image, "image"), ["image['id']"]);
        let template = json!({"template": {"components": [
            {"type": "header", "parameters": [{"type": "image", "image": {"id": 2}}]},
            {"type": "button", "parameters": [{"type": "payload", "payload": "id"}]}]}});
        assert_eq!(
            places(template, "template"),
            ["template['components'][0]['parameters'][0]['image']['id']"]
        );
        let linked = json!({"image": {"link": "https://example.com/a.png"}, "text": {"image": {"id": "x"}}});
        assert_eq!(places(linked, "image"), [""; 0]);
    }
}
