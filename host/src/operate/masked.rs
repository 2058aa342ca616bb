//! What of a number is shown to those who may not see it whole.

/// A number or a user id of which the last four characters are shown.
pub fn masked(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let last = &characters[characters.len().saturating_sub(4).max(characters.len().min(2))..];
    format!("…{}", last.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_number_is_shown() {
        assert_eq!(masked("263770000001"), "…0001");
        assert_eq!(masked("12"), "…");
    }
}
