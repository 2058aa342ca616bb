//! What is written together, until all of it is: in halves where PostgreSQL refuses a part. Pure.

/// The parts that are still to be written, the earliest first.
#[derive(Debug)]
pub struct Halves<T> {
    /// The next one is the last of these.
    parts: Vec<Vec<T>>,
}

impl<T> Halves<T> {
    /// All of them together.
    pub fn of(items: Vec<T>) -> Halves<T> {
        Halves { parts: vec![items] }
    }

    /// What to write next, if there is more.
    pub fn next(&mut self) -> Option<Vec<T>> {
        self.parts.pop()
    }

    /// These are to be written once more, before all others.
    pub fn again(&mut self, part: Vec<T>) {
        if !part.is_empty() {
            self.parts.push(part);
        }
    }

    /// PostgreSQL does not take these together: its halves come next, or the one that stands alone is returned.
    pub fn refused(&mut self, mut part: Vec<T>) -> Option<T> {
        if part.len() < 2 {
            return part.pop();
        }
        let later = part.split_off(part.len() / 2);
        self.parts.extend([later, part]);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_refused_stays_unwritten_and_the_order_is_kept() {
        for (count, bad) in
            [(1, vec![]), (1, vec![0]), (7, vec![3]), (64, vec![0, 31, 63]), (5, vec![0, 1, 2, 3, 4])]
        {
            let (mut written, mut refused) = (Vec::new(), Vec::new());
            let mut parts = Halves::of((0..count).collect());
            while let Some(part) = parts.next() {
                match part.iter().any(|item| bad.contains(item)) {
                    true => refused.extend(parts.refused(part)),
                    false => written.extend(part),
                }
            }
            assert_eq!(refused, bad);
            assert_eq!(written, (0..count).filter(|item| !bad.contains(item)).collect::<Vec<_>>());
        }
    }
}
