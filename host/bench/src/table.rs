//! What is printed.

/// A figure, beside its floor.
pub struct Row {
    what: &'static str,
    figure: String,
    floor: String,
    ratio: String,
}

impl Row {
    /// A figure with its floor, where it has one.
    pub fn new(what: &'static str, figure: f64, floor: Option<f64>) -> Row {
        let number = |n: f64| if n >= 100.0 { format!("{n:.0}") } else { format!("{n:.2}") };
        Row {
            what,
            figure: number(figure),
            floor: floor.map(number).unwrap_or_default(),
            ratio: floor.map(|floor| format!("{:.2}", figure / floor)).unwrap_or_default(),
        }
    }
}

/// Prints all, one a line.
pub fn print(rows: &[Row]) {
    println!("{:<58} {:>10} {:>10} {:>7}", "", "figure", "floor", "ratio");
    for row in rows {
        println!("{:<58} {:>10} {:>10} {:>7}", row.what, row.figure, row.floor, row.ratio);
    }
}

/// The median; 0 of nothing.
pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// The value below which a share of sorted figures lies, in percent.
pub fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}
