//! Which message of then is which message of now.

use std::collections::HashMap;

use super::ComparedMessage;

type Pair<'a> = (Option<&'a ComparedMessage>, Option<&'a ComparedMessage>);

/// What is not paired yet.
struct Left<'a> {
    then: Vec<Option<&'a ComparedMessage>>,
    now: Vec<Option<&'a ComparedMessage>>,
    pairs: Vec<Pair<'a>>,
}

/// Pairs messages; what has no partner stands alone.
pub(super) fn pairs<'a>(then: &'a [ComparedMessage], now: &'a [ComparedMessage]) -> Vec<Pair<'a>> {
    let mut left = Left {
        then: then.iter().map(Some).collect(),
        now: now.iter().map(Some).collect(),
        pairs: Vec::with_capacity(then.len().max(now.len())),
    };
    let (to, template) =
        (|of: &'a ComparedMessage| of.recipient.as_str(), |of: &'a ComparedMessage| of.template.as_str());
    // Equal ones first: two messages of a template to one person may change places.
    left.pair(&|of| (to(of), template(of)), &|then, now| then.timing == now.timing && then.reads_as(now));
    left.pair(&|of| (to(of), template(of)), &|_, _| true);
    left.pair(&|of| (to(of), ""), &|_, _| true);
    left.pair(&|of| ("", template(of)), &|_, _| true);
    let Left { then, now, mut pairs } = left;
    pairs.extend(then.into_iter().flatten().map(|gone| (Some(gone), None)));
    pairs.extend(now.into_iter().flatten().map(|new| (None, Some(new))));
    pairs
}

impl<'a> Left<'a> {
    /// Pairs the first of then with the first of now that has the same key and fits, and so on.
    fn pair(
        &mut self,
        key: &dyn Fn(&'a ComparedMessage) -> (&'a str, &'a str),
        fits: &dyn Fn(&ComparedMessage, &ComparedMessage) -> bool,
    ) {
        let mut places: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
        for (place, now) in self.now.iter().enumerate() {
            if let Some(now) = now {
                places.entry(key(now)).or_default().push(place);
            }
        }
        for slot in &mut self.then {
            let Some(then) = *slot else { continue };
            let Some(candidates) = places.get_mut(&key(then)) else { continue };
            let is_partner = |place: &usize| self.now[*place].is_some_and(|now| fits(then, now));
            let Some(at) = candidates.iter().position(is_partner) else { continue };
            let place = candidates.remove(at);
            self.pairs.push((slot.take(), self.now[place].take()));
        }
    }
}
