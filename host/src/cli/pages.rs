//! Lists that are read page by page, and printed as a table or as a JSON object per line.

use serde::Serialize;

use super::{output, table};

/// Rows per page.
const PAGE: i64 = 1_000;

/// How a list is printed.
pub struct Listing<const N: usize> {
    /// Heads of the table's columns.
    pub heads: [&'static str; N],
    /// Line in place of an empty table.
    pub empty: &'static str,
    /// Whether to print JSON instead of a table.
    pub json: bool,
}

impl<const N: usize> Listing<N> {
    /// Prints all pages. `page` returns at most so many rows after a key, `key` the key of a row.
    ///
    /// # Errors
    /// If a page cannot be read.
    pub async fn print<T, K: Default, J: From<T> + Serialize, E: Into<anyhow::Error>>(
        &self,
        mut page: impl AsyncFnMut(&K, i64) -> Result<Vec<T>, E>,
        key: fn(&T) -> K,
        row: fn(&T) -> [String; N],
        to_json: fn(T) -> J,
    ) -> anyhow::Result<()> {
        let mut table = table::table(&self.heads);
        let mut after = K::default();
        loop {
            let rows = page(&after, PAGE).await.map_err(Into::into)?;
            let Some(last) = rows.last() else { break };
            after = key(last);
            if self.json {
                output::json_lines(rows.into_iter().map(to_json))?;
            } else {
                table.add_rows(rows.iter().map(row));
            }
        }
        match (self.json, table.is_empty()) {
            (true, _) => {}
            (false, true) => println!("{}", self.empty),
            (false, false) => table::print(&table),
        }
        Ok(())
    }
}
