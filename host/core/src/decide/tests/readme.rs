//! The functions that rules/README.md lists do what it says.

use serde_json::Value;

use super::value_of;

#[test]
fn each_expression_of_the_readme_has_its_result() {
    let readme = include_str!("../../../../../rules/README.md");
    let (_, section) = readme.split_once("### Operators and functions").unwrap();
    let (_, json) = section.split_once("```json\n").unwrap();
    let (data, rest) = json.split_once("```").unwrap();
    let data: Value = serde_json::from_str(data).unwrap();
    let (table, _) = rest.split_once("\n### ").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |"));
    let rows: Vec<(&str, &str)> = rows.filter_map(|row| row.rsplit_once(" | `")).collect();
    assert!(rows.len() > 30, "{rows:?}");
    for (expression, result) in rows {
        // A code span that contains a back-tick has two around it.
        let expression = match expression.strip_prefix('`') {
            Some(spaced) => spaced.trim_end_matches('`').trim(),
            None => expression.trim_end_matches('`'),
        };
        let expected: Value = serde_json::from_str(result).unwrap();
        assert_eq!(value_of(&expression.replace("\\|", "|"), data.clone()), expected, "{expression}");
    }
}
