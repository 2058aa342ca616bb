//! Help for what is not valid YAML, by the line with the error.

/// What to do about an error of the parser in the first of these lines, at this column (from 1).
pub fn of_lines<'a>(mut lines: impl Iterator<Item = &'a str>, column: usize) -> Option<&'static str> {
    let line = lines.next()?;
    let before: String = line.chars().take(column.saturating_sub(1)).collect();
    let has_tab = |line: &str| line[..line.len() - line.trim_start().len()].contains('\t');
    let value = line.trim_start().trim_start_matches("- ");
    let value = value.split_once(": ").map_or(value, |(_, value)| value.trim_start());
    if has_tab(line) || lines.next().is_some_and(has_tab) {
        Some("indent with spaces: YAML does not allow tabs")
    } else if value.starts_with(['*', '&']) || line.contains("[*") || line.contains(", *") {
        Some("put a value that begins with `*` or `&` in quotes, for example `on: '*'`")
    } else if value.starts_with(['@', '`', '%']) {
        Some("put a value that begins with this character in quotes")
    } else if value.starts_with(['"', '\'']) && !before.is_empty() {
        Some("put the whole value in single quotes, for example `users: ['\"ada\"']`")
    } else if value.contains(": ") || value.contains(" :") {
        Some("put a value that contains `: ` in quotes")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::of_lines;

    #[test]
    fn the_line_tells_what_to_do() {
        for (line, column, help) in [
            ("\ttemplate: x", 1, Some("spaces")),
            ("- on: a\n\ttemplate: x", 7, Some("spaces")),
            ("- on: *", 7, Some("begins with `*`")),
            ("  users: [*x]", 11, Some("begins with `*`")),
            ("  reason: @team", 11, Some("this character")),
            ("  when: \"a\" == event.data.x", 13, Some("single quotes")),
            ("  when: event.data.a ? 1 : 2", 25, Some("contains `: `")),
            ("  template: [", 13, None),
        ] {
            let told = of_lines(line.lines(), column);
            assert_eq!(told.is_some(), help.is_some(), "{line}: {told:?}");
            assert!(told.unwrap_or_default().contains(help.unwrap_or_default()), "{line}: {told:?}");
        }
    }
}
