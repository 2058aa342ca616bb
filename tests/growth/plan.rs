//! What is wrong with how a statement was executed, from `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)`.

use serde_json::Value;

/// How much of the tables that grow a statement may read.
pub struct Bound {
    /// Rows that a node reads, gives or sorts.
    pub rows: f64,
    /// Tables that do not grow.
    pub small: &'static [&'static str],
}

/// Blocks beyond those that the rows may be on: dead rows of what was undone before. A whole index has thousands.
const SPARE_BLOCKS: f64 = 1_500.0;
/// A look into an index goes down so many levels at most, and then into the table.
const BLOCKS_A_ROW: f64 = 8.0;

/// A join looks at so many pairs at most for each row that it joins.
const COMPARED: f64 = 4.0;

/// What is wrong, in words.
pub fn faults(plan: &Value, bound: &Bound) -> Vec<String> {
    let mut faults = Vec::new();
    look(&plan[0]["Plan"], bound, &mut faults);
    faults
}

fn look(node: &Value, bound: &Bound, faults: &mut Vec<String>) {
    let number = |key: &str| node[key].as_f64().unwrap_or(0.0);
    let text = |key: &str| node[key].as_str().unwrap_or_default();
    let children = || node["Plans"].as_array().into_iter().flatten();
    let (kind, table) = (text("Node Type"), text("Relation Name"));
    let what = [kind, text("Index Name"), table, text("Alias")].join(" ");
    let loops = number("Actual Loops");
    let dropped = number("Rows Removed by Filter")
        + number("Rows Removed by Join Filter")
        + number("Rows Removed by Index Recheck");
    // Rows are an average over the loops, rounded.
    let rows =
        (number("Actual Rows") + dropped).mul_add(loops, 0.0).max(if loops > 1.0 { loops } else { 0.0 });

    if kind == "Seq Scan" && loops > 0.0 && !bound.small.contains(&table) {
        faults.push(format!("reads all of {table} ({rows} rows)"));
    }
    if rows > bound.rows {
        faults.push(format!("{what}: {rows} rows"));
    }
    // PostgreSQL takes a list of unknown length to be short: one that is compared with another is slow where both are long.
    let given: f64 = children().map(|child| child["Actual Rows"].as_f64().unwrap_or(0.0)).sum();
    let apart = number("Rows Removed by Join Filter");
    if apart > given * COMPARED {
        faults.push(format!("{what}: compares {apart} pairs of {given} rows"));
    }
    // Entries of an index that it passes by are told by nothing but the blocks.
    let blocks = |node: &Value| {
        ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|key| node[*key].as_f64()).sum::<f64>()
    };
    let own = blocks(node) - children().map(blocks).sum::<f64>();
    let is_of_table = !table.is_empty() || node["Index Name"].is_string();
    if is_of_table && kind.contains("Scan") && own > (rows + loops).mul_add(BLOCKS_A_ROW, SPARE_BLOCKS) {
        faults.push(format!("{what}: {own} blocks for {rows} rows"));
    }
    for child in children() {
        look(child, bound, faults);
    }
}

/// The tables that may grow and that a plan reads all of, or all of an index of, whatever it is asked for.
pub fn whole_tables(plan: &Value, small: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut nodes = vec![&plan[0]["Plan"]];
    while let Some(node) = nodes.pop() {
        let text = |key: &str| node[key].as_str().unwrap_or_default();
        let (kind, table) = (text("Node Type"), text("Relation Name"));
        let is_whole = kind == "Seq Scan" || (kind.starts_with("Index") && node["Index Cond"].is_null());
        let is_catalog = table.starts_with("pg_");
        if is_whole && !table.is_empty() && !is_catalog && !small.contains(&table) {
            found.push(format!("{kind} of all of {table} {}", text("Index Name")));
        }
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
    }
    found
}
