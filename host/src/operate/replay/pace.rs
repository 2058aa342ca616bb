//! How much of the log is read at a time: about as many events as fill a page, however many places have none.

/// Events that a page is to have.
const EVENTS: usize = 512;
/// Size of what a page is to have, in bytes.
pub(in crate::operate) const BYTES: usize = 4 * 1024 * 1024;
/// Places of the log that a page looks at, at least and at most.
const LEAST: i64 = 16;
const MOST: i64 = 50_000;

/// The number of places that the next page looks at.
#[derive(Debug)]
pub(super) struct Pace(i64);

impl Pace {
    /// The pace of the first page.
    pub fn new() -> Pace {
        Pace(EVENTS as i64)
    }

    /// The end of the page that begins after a place.
    pub fn end(&self, after: i64, last: i64) -> i64 {
        after.saturating_add(self.0).min(last)
    }

    /// Takes note of a page that had so many events and bytes.
    pub fn saw(&mut self, events: usize, bytes: usize) {
        self.0 = if bytes > BYTES || events > EVENTS {
            self.0 / 2
        } else if events < EVENTS / 2 && bytes < BYTES / 2 {
            self.0 * 2
        } else {
            self.0
        }
        .clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_hurries_where_there_is_nothing_and_takes_small_steps_where_events_are_large() {
        let mut pace = Pace::new();
        assert_eq!((pace.end(0, 10_000), pace.end(0, 100)), (512, 100));
        (0..20).for_each(|_| pace.saw(0, 0));
        assert_eq!(pace.end(0, 1_000_000), MOST);
        (0..20).for_each(|_| pace.saw(100, 100 * 1024 * 1024));
        assert_eq!(pace.end(0, 1_000_000), LEAST);
    }
}
