//! Lists for people to read.

use comfy_table::{Table, presets::NOTHING};

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
