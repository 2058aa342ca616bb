//! Suggestions for misspelt words.

/// Maximum length of a compared word, in bytes, and maximum number of candidates: comparing takes time proportional to
/// the product of the lengths.
const LONGEST: usize = 100;
const COMPARED: usize = 500;

/// Returns the known word that was probably meant.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    known
        .into_iter()
        .filter(|known| known.len() <= LONGEST)
        .take(COMPARED)
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        // The first of equally close words: lists begin with the common ones.
        .reduce(|best, other| if other.0 > best.0 { other } else { best })
        .map(|(_, candidate)| candidate)
}

/// Maximum number of known words that are listed.
const NAMED: usize = 40;

/// The help for an unknown word: the closest known word, or all known ones.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match closest(word, known.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => {
            let known: Vec<_> = known.into_iter().take(NAMED + 1).map(shortened).collect();
            let more = if known.len() > NAMED { ", …" } else { "" };
            format!("known: {}{more}", known[..known.len().min(NAMED)].join(", "))
        }
    }
}

/// A word of a length that can be listed.
fn shortened(word: &str) -> String {
    match word.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn the_closest_word_is_named_and_a_strange_one_is_not() {
        let known = ["template", "groups", "users"];
        assert_eq!(closest("tempalte", known), Some("template"));
        assert_eq!(closest("Group", known), Some("groups"));
        assert_eq!(closest("xyz", known), None);
    }
}
