//! What somebody may have meant who misspelt a name.

/// How alike two names must be, from 0 to 1.
const ALIKE: f64 = 0.85;

/// The name of those that are known that is most like the one that was written, where one is alike.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(written, name), name));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(score, _)| *score > ALIKE).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelt_name_is_recognised_and_another_is_not() {
        let known = ["order_created", "order_cancelled", "invoice"];
        assert_eq!(nearest("order_creatd", known), Some("order_created"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
