//! Quiet hours: hours of the day in which a person receives only urgent messages.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, ToSpan, civil::Time, tz::TimeZone};

/// Quiet hours, in the person's time zone. They may span midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from: Time,
    until: Time,
    zone: TimeZone,
}

impl QuietHours {
    /// Creates quiet hours between two times of the day, in a time zone of the IANA database, for example `Africa/Harare`.
    ///
    /// # Errors
    /// If both times are equal, or the time zone is unknown.
    pub fn new(from: Time, until: Time, zone: &str) -> Result<QuietHours, String> {
        if from == until {
            return Err(format!(
                "quiet hours must begin and end at different times, got {}-{}",
                hour(from),
                hour(until)
            ));
        }
        let zone = TimeZone::get(zone).map_err(|_| {
            format!("unknown time zone {zone:?}; use an IANA name, for example Africa/Harare")
        })?;
        Ok(QuietHours { from, until, zone })
    }

    /// Parses `21:00-06:30`, in this time zone.
    ///
    /// # Errors
    /// If the hours or the time zone are not valid.
    pub fn parse(hours: &str, zone: &str) -> Result<QuietHours, String> {
        let wrong = || format!("expected quiet hours, for example 21:00-06:30, got {hours:?}");
        let (from, until) = hours.split_once('-').ok_or_else(wrong)?;
        let time = |text: &str| Time::from_str(text.trim()).map_err(|_| wrong());
        QuietHours::new(time(from)?, time(until)?, zone)
    }

    /// Time of the day at which they begin.
    pub fn from(&self) -> Time {
        self.from
    }

    /// Time of the day at which they end.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Both times, in the form `21:00-06:30`.
    pub fn hours(&self) -> String {
        format!("{}-{}", hour(self.from), hour(self.until))
    }

    /// Name of the time zone.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// When the quiet hours end, if `now` is within them.
    pub fn end(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_zoned(self.zone.clone());
        let (time, over_midnight) = (local.time(), self.from > self.until);
        let is_quiet = match over_midnight {
            false => self.from <= time && time < self.until,
            true => time >= self.from || time < self.until,
        };
        if !is_quiet {
            return None;
        }
        let today = local.date();
        let day = if over_midnight && time >= self.from { today.checked_add(1.day()).ok()? } else { today };
        let end = self.zone.to_ambiguous_zoned(day.to_datetime(self.until)).compatible().ok()?.timestamp();
        // When the clock is set back, the hour occurs twice.
        (end > now).then_some(end)
    }
}

fn hour(time: Time) -> String {
    time.strftime("%H:%M").to_string()
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.hours(), self.zone())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn end(hours: &str, zone: &str, now: &str) -> Option<String> {
        let quiet = QuietHours::parse(hours, zone).unwrap();
        quiet.end(now.parse().unwrap()).map(|end| end.to_string())
    }

    #[test]
    fn they_reach_over_midnight() {
        let harare = |now| end("21:00-06:30", "Africa/Harare", now);
        assert_eq!(harare("2026-11-24T18:59:59Z"), None);
        assert_eq!(harare("2026-11-24T19:00:00Z").unwrap(), "2026-11-25T04:30:00Z");
        assert_eq!(harare("2026-11-25T04:29:59Z").unwrap(), "2026-11-25T04:30:00Z");
        assert_eq!(harare("2026-11-25T04:30:00Z"), None);
        assert_eq!(end("12:00-13:00", "UTC", "2026-11-24T12:10:00Z").unwrap(), "2026-11-24T13:00:00Z");
        assert_eq!(end("12:00-13:00", "UTC", "2026-11-24T13:00:00Z"), None);
    }

    #[test]
    fn a_clock_that_is_set_forward_or_back_makes_no_night_longer_than_it_says() {
        // On 29 March 2026 there is no 02:30 in Berlin; the hours end as soon as it would have been.
        let spring = end("22:00-02:30", "Europe/Berlin", "2026-03-28T23:00:00Z").unwrap();
        assert_eq!(spring, "2026-03-29T01:30:00Z");
        // On 25 October 2026 it is 02:30 twice; the first counts.
        let autumn = end("22:00-02:30", "Europe/Berlin", "2026-10-24T22:00:00Z").unwrap();
        assert_eq!(autumn, "2026-10-25T00:30:00Z");
        assert_eq!(
            end("22:00-02:30", "Europe/Berlin", "2026-10-25T01:15:00Z"),
            None,
            "02:15 for the second time"
        );
    }

    #[test]
    fn what_are_no_quiet_hours_is_said() {
        for (hours, zone) in
            [("21:00", "UTC"), ("9-17", "UTC"), ("10:00-10:00", "UTC"), ("10:00-11:00", "Harare")]
        {
            assert!(QuietHours::parse(hours, zone).is_err(), "{hours} {zone}");
        }
        let quiet = QuietHours::parse("21:00-06:30", "Africa/Harare").unwrap();
        assert_eq!(quiet.to_string(), "21:00-06:30 Africa/Harare");
    }
}
