//! Cards side by side: media with buttons, or products.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    GraphError,
    choices::{link, replies},
    elsewhere,
    fields::{array, invalid, mandatory, text},
    interactive::header,
};

/// The longest text of a card, in characters.
const BODY: usize = 160;
/// Line breaks in it.
const LINE_BREAKS: usize = 2;

/// Checks the cards of an `action`.
pub fn check(action: &Value) -> Result<(), GraphError> {
    let cards = array(action, "cards", "carousel")?;
    if !(2..=10).contains(&cards.len()) {
        return Err(invalid("Invalid cards count. Min allowed cards: 2, Max allowed cards: 10"));
    }
    let mut indices = HashSet::new();
    for card in cards {
        let index = card.get("card_index").ok_or_else(|| mandatory("card_index", "card"))?;
        let index = index.as_u64().filter(|index| *index < 10);
        if !indices.insert(index.ok_or_else(|| invalid("card['card_index'] must be from 0 to 9"))?) {
            return Err(invalid("Duplicated card_index"));
        }
    }
    if cards.iter().any(|card| card["type"] == "product") {
        return products(cards);
    }
    let mut kinds = cards.iter().map(media);
    let first = kinds.next().transpose()?;
    for kind in kinds {
        if Some(kind?) != first {
            return Err(invalid("All cards must have the same type of header and the same buttons"));
        }
    }
    Ok(())
}

/// What all cards have in common.
#[derive(PartialEq)]
struct Kind {
    header: String,
    replies: Option<usize>,
}

fn media(card: &Value) -> Result<Kind, GraphError> {
    let head = card.get("header").ok_or_else(|| mandatory("header", "card"))?;
    header(head, &["image", "video"])?;
    if let Some(body) = card.get("body").filter(|body| !body.is_null()) {
        let text = text(body, "text", "card", BODY)?;
        if text.matches('\n').count() > LINE_BREAKS {
            return Err(invalid(format!("card['body']['text'] may have {LINE_BREAKS} line breaks")));
        }
    }
    let action = card.get("action").ok_or_else(|| mandatory("action", "card"))?;
    let buttons = if action.get("buttons").is_some() {
        let buttons = array(action, "buttons", "card")?;
        replies(buttons, "quick_reply", 20)?;
        Some(buttons.len())
    } else {
        link(action)?;
        None
    };
    Ok(Kind { header: head["type"].as_str().unwrap_or_default().to_owned(), replies: buttons })
}

fn products(cards: &[Value]) -> Result<(), GraphError> {
    for card in cards {
        if card["type"] != "product" {
            return Err(invalid("All cards must have the same type"));
        }
        let action = card.get("action").ok_or_else(|| mandatory("action", "card"))?;
        text(action, "product_retailer_id", "card", 256)?;
        text(action, "catalog_id", "card", 256)?;
    }
    Err(elsewhere::needs("carousel", elsewhere::CATALOG))
}
