//! Languages of people and templates, as Meta writes them: `en`, `en_US`.

/// A language as it is stored: `pt-br` becomes `pt_BR`.
///
/// # Errors
/// If it is no language code.
pub fn language(text: &str) -> Result<String, String> {
    let text = text.trim();
    let mut parts = text.split(['_', '-']);
    let is_part = |part: &str, most: usize| {
        (2..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    let (root, region, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    match (region, more) {
        (None, _) if is_part(root, 3) => Ok(root.to_lowercase()),
        (Some(region), None) if is_part(root, 3) && is_part(region, 2) => {
            Ok(format!("{}_{}", root.to_lowercase(), region.to_uppercase()))
        }
        _ => Err(format!("expected a language code, for example pt_BR, got {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::language;

    #[test]
    fn languages_are_written_in_one_way() {
        for (text, stored) in [("pt-br", "pt_BR"), ("EN", "en"), (" fil ", "fil"), ("en_US", "en_US")] {
            assert_eq!(language(text).as_deref(), Ok(stored));
        }
        for wrong in ["", "portuguese", "p", "pt_BRA", "pt_BR_x", "12"] {
            assert!(language(wrong).is_err(), "{wrong}");
        }
    }
}
