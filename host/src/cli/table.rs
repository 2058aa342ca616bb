//! Tables and times for people to read.

use std::borrow::Cow;

use comfy_table::{Table, presets::NOTHING};
use hookswitch_core::domain::visible_line;
use jiff::{Timestamp, tz::TimeZone};

/// A table with these headings: aligned columns, two spaces apart, no lines. Cells are never wrapped, so an id can be
/// copied.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(headings);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Prints a table without spaces at the ends of lines.
pub fn print(table: &Table) {
    for line in table.lines() {
        println!("{}", line.trim_end());
    }
}

/// A time to the second in the time zone of this machine, with the zone.
pub fn time(at: Timestamp) -> String {
    zoned(at, TimeZone::system())
}

fn zoned(at: Timestamp, zone: TimeZone) -> String {
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// Text from outside, for example the name in a WhatsApp profile, on one line; what would steer the terminal is escaped.
pub fn one_line(text: &str) -> Cow<'_, str> {
    visible_line(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use jiff::{Timestamp, tz::TimeZone};

    use super::{one_line, table, zoned};

    #[test]
    fn what_would_steer_the_terminal_is_escaped() {
        assert_eq!(one_line("Ann Lee"), "Ann Lee");
        assert_eq!(one_line("Ann\u{1b}[2J\r\nLee\t"), "Ann\\u{1b}[2J\\r\\nLee\\t");
    }

    #[test]
    fn times_have_their_zone() {
        let at: Timestamp = "2026-11-23T09:00:00.5Z".parse().unwrap();
        assert_eq!(zoned(at, TimeZone::UTC), "2026-11-23 09:00:00 UTC");
        assert_eq!(zoned(at, TimeZone::get("Africa/Harare").unwrap()), "2026-11-23 11:00:00 CAT");
    }

    #[test]
    fn cells_are_never_wrapped() {
        let mut table = table(&["ID", "WHY"]);
        table.add_row(["0".repeat(300), "a word ".repeat(100)]);
        assert_eq!(table.lines().count(), 2);
    }
}
