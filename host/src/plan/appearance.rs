//! Where a template's body first speaks of a variable: Meta numbers a template's parameters in that order.

/// The place of a name in the body's tags; words of the text, of comments and of literals, attributes and filters
/// do not count. Names without a place come last.
pub(super) fn first_appearance(body: &str, name: &str) -> usize {
    let mut from = 0;
    while let Some((start, end)) = next_tag(body, from) {
        if let Some(at) = in_tag(&body[start..end], name) {
            return start + at;
        }
        from = end;
    }
    usize::MAX
}

/// The next `{{ }}` or `{% %}`; comments are passed over.
pub(super) fn next_tag(body: &str, mut from: usize) -> Option<(usize, usize)> {
    loop {
        let start = from + body[from..].find('{')?;
        let rest = &body[start..];
        let close = match rest.as_bytes().get(1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => {
                from = start + rest.find("#}")?;
                continue;
            }
            _ => {
                from = start + 1;
                continue;
            }
        };
        return Some((start, start + end_of_tag(rest, close)));
    }
}

/// A quote may hold what looks like the end.
fn end_of_tag(tag: &str, close: &str) -> usize {
    outside_of_quotes(tag).find(|at| tag[*at..].starts_with(close)).unwrap_or(tag.len())
}

/// The place of a name in a tag.
pub(super) fn in_tag(tag: &str, name: &str) -> Option<usize> {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    outside_of_quotes(tag).find(|at| {
        let (before, rest) = tag.split_at(*at);
        let ends = rest.strip_prefix(name).is_some_and(|after| !is_word(after.chars().next()));
        ends && !is_word(before.chars().next_back()) && !before.trim_end().ends_with(['.', '|'])
    })
}

/// The places of the characters that are in no literal.
fn outside_of_quotes(tag: &str) -> impl Iterator<Item = usize> {
    let mut quote = None;
    let mut escaped = false;
    tag.char_indices().filter_map(move |(at, c)| {
        let Some(open) = quote else {
            quote = Some(c).filter(|c| matches!(c, '"' | '\''));
            return quote.is_none().then_some(at);
        };
        if !escaped && c == open {
            quote = None;
        }
        escaped = !escaped && c == '\\';
        None
    })
}
