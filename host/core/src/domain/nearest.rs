//! Suggestions for misspelt names.

/// Minimum similarity of two names, from 0 to 1.
const ALIKE: f64 = 0.85;

/// Returns the known name that is most similar to the written one, if it is similar enough.
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
