//! WhatsApp's formatting in a line of text.

/// The next formatted part: a mark at a word's edge, some text without a space at its ends, the mark again.
pub fn next_mark(line: &str) -> Option<(&str, char, &str, &str)> {
    for (at, mark) in line.char_indices().filter(|(_, c)| matches!(c, '*' | '_' | '~' | '`')) {
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        if is_word(line[..at].chars().next_back()) {
            continue;
        }
        if let Some((inside, after)) = line[at..].strip_prefix("```").and_then(|rest| rest.split_once("```"))
            && !inside.trim().is_empty()
        {
            return Some((&line[..at], mark, inside, after));
        }
        let inner = &line[at + 1..];
        let ends = inner.match_indices(mark).find(|(end, _)| {
            *end > 0
                && !inner[..*end].ends_with(' ')
                && !inner.starts_with(' ')
                && !is_word(inner[end + 1..].chars().next())
        });
        if let Some((end, _)) = ends {
            return Some((&line[..at], mark, &inner[..end], &inner[end + 1..]));
        }
    }
    None
}
