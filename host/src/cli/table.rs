//! Lists for people to read.

use std::borrow::Cow;

use comfy_table::{Table, presets::NOTHING};
use hookswitch_core::domain::visible_line;

/// A table with these headings: columns of one width, two spaces apart, no lines.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(headings);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Prints it, without spaces at the ends of lines.
pub fn print(table: &Table) {
    for line in table.lines() {
        println!("{}", line.trim_end());
    }
}

/// A text from outside, such as a WhatsApp profile's name, as one line; what would steer the terminal is written out.
pub fn one_line(text: &str) -> Cow<'_, str> {
    visible_line(text)
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn what_would_steer_the_terminal_is_written_out() {
        assert_eq!(one_line("Ann Lee"), "Ann Lee");
        assert_eq!(one_line("Ann\u{1b}[2J\r\nLee\t"), "Ann\\u{1b}[2J\\r\\nLee\\t");
    }
}
