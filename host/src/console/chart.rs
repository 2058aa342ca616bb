//! Small pictures of how often something happened.

use minijinja::{Value, context};

/// Size of a picture, in units of its own.
const WIDTH: usize = 168;
const HEIGHT: i64 = 24;

/// A picture of these numbers: the path of its bars, their sum and the largest.
pub fn chart(numbers: &[i64]) -> Value {
    let most = numbers.iter().copied().max().unwrap_or(0);
    let width = WIDTH / numbers.len().max(1);
    let mut path = String::new();
    for (index, number) in numbers.iter().enumerate().filter(|(_, number)| **number > 0) {
        // Whatever happened is seen.
        let height = (number.saturating_mul(HEIGHT) / most.max(1)).max(1);
        path.push_str(&format!("M{} {HEIGHT}v-{height}h{width}v{height}z", index * width));
    }
    context! { path, most, sum => numbers.iter().sum::<i64>(), width => width * numbers.len(), height => HEIGHT }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn bars_are_as_high_as_their_numbers() {
        let chart = chart(&[0, 1, 10_000, 5_000]);
        let of = |name: &str| chart.get_attr(name).unwrap().to_string();
        assert_eq!(of("path"), "M42 24v-1h42v1zM84 24v-24h42v24zM126 24v-12h42v12z");
        assert_eq!((of("sum"), of("most"), of("width")), ("15001".into(), "10000".into(), "168".into()));
        assert_eq!(super::chart(&[]).get_attr("path").unwrap().to_string(), "");
    }
}
