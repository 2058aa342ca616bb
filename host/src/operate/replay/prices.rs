//! What messages cost: Meta's prices by category and the recipient's country, from a table that the operator gives.

use std::collections::BTreeMap;

use hookswitch_core::compare::ComparedMessage;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::report::ReplayCost;

/// Prices that a table has, at most.
const MOST_PRICES: usize = 2_000;
/// The name of any country.
const ANYWHERE: &str = "*";

/// A price of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The first digits of the numbers that it is for, for example `263`, or `*` for all others.
    pub country: String,
    /// Meta's category: `utility`, `marketing` or `authentication`.
    pub category: String,
    /// The price.
    pub price: f64,
    /// The currency, for example `USD`: the same in the whole table.
    pub currency: String,
}

/// Checks a table of prices.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_prices(prices: &[Price]) -> Result<(), String> {
    if prices.len() > MOST_PRICES {
        return Err(format!("a table of prices has at most {MOST_PRICES} rows"));
    }
    for (row, price) in (1..).zip(prices) {
        let is_country = price.country == ANYWHERE
            || (1..=15).contains(&price.country.len()) && price.country.bytes().all(|b| b.is_ascii_digit());
        if !is_country {
            return Err(format!("price {row}: the country must be the first digits of numbers, or *"));
        }
        if !matches!(price.category.as_str(), "utility" | "marketing" | "authentication") {
            return Err(format!("price {row}: the category must be utility, marketing or authentication"));
        }
        if !(price.price.is_finite() && price.price >= 0.0) {
            return Err(format!("price {row}: the price must be 0 or more"));
        }
        if prices.first().is_some_and(|first| first.currency != price.currency) {
            return Err(format!("price {row}: all prices must have the same currency"));
        }
    }
    Ok(())
}

/// The price of a message; the longest country that fits counts.
fn price_of(prices: &[Price], category: &str, recipient: &str) -> Option<f64> {
    let fits = |price: &&Price| {
        price.category == category && (price.country == ANYWHERE || recipient.starts_with(&price.country))
    };
    let length = |price: &&Price| if price.country == ANYWHERE { 0 } else { price.country.len() };
    prices.iter().filter(fits).max_by_key(length).map(|price| price.price)
}

/// Adds what messages of then and of now cost.
pub(super) fn add_cost<'a>(
    prices: &[Price],
    cost: &mut Option<ReplayCost>,
    then: impl Iterator<Item = (&'static str, &'a ComparedMessage)>,
    now: impl Iterator<Item = (&'static str, &'a ComparedMessage)>,
) {
    let Some(first) = prices.first() else { return };
    let cost =
        cost.get_or_insert_with(|| ReplayCost { currency: first.currency.clone(), ..ReplayCost::default() });
    let mut without = 0;
    let mut add = |sums: &mut BTreeMap<String, f64>, category: &str, of: &ComparedMessage| match price_of(
        prices,
        category,
        &of.recipient,
    ) {
        Some(price) => *sums.entry(category.to_owned()).or_default() += price,
        None => without += 1,
    };
    then.for_each(|(category, of)| add(&mut cost.then, category, of));
    now.for_each(|(category, of)| add(&mut cost.now, category, of));
    cost.without_price += without;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(country: &str, category: &str, price: f64) -> Price {
        Price {
            country: country.to_owned(),
            category: category.to_owned(),
            price,
            currency: "USD".to_owned(),
        }
    }

    #[test]
    fn the_longest_country_counts() {
        let prices =
            [price("*", "utility", 0.03), price("263", "utility", 0.01), price("2637", "utility", 0.02)];
        assert_eq!(price_of(&prices, "utility", "263771234567"), Some(0.02));
        assert_eq!(price_of(&prices, "utility", "26386"), Some(0.01));
        assert_eq!(price_of(&prices, "utility", "US.13491208655302741918"), Some(0.03));
        assert_eq!(price_of(&prices, "marketing", "263771234567"), None);
    }

    #[test]
    fn what_is_no_table_of_prices_is_refused() {
        assert_eq!(check_prices(&[price("*", "marketing", 0.0)]), Ok(()));
        let euros = Price { currency: "EUR".to_owned(), ..price("*", "utility", 1.0) };
        for wrong in [price("+263", "utility", 1.0), price("*", "service", 1.0), price("*", "utility", -1.0)]
        {
            assert!(check_prices(&[wrong]).is_err());
        }
        assert!(check_prices(&[price("*", "utility", 1.0), euros]).is_err());
    }
}
