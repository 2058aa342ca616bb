//! Hours of the week, such as a shop's: `MON-FRI 08:00-17:00, SAT 09:00-12:00`.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

use crate::bounds::cut;

const DAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
const DAY: u16 = 24 * 60;
/// Maximum length of hours as text, in bytes.
const TEXT: usize = 500;

/// Hours of the week, in local time. A span may go over midnight; it belongs to the day on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours(Vec<Span>);

/// From one minute of certain days to another, which is of the next day if it is beyond midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    /// By day, from Monday.
    days: [bool; 7],
    from: u16,
    until: u16,
}

impl Hours {
    /// Parses days and hours, separated by commas: `MON-FRI 08:00-17:00, SAT 09:00-12:00`. Without days, they are those of
    /// every day.
    ///
    /// # Errors
    /// If they are not hours.
    pub fn parse(text: &str) -> Result<Hours, String> {
        let wrong = || {
            let text = cut(text, 100);
            format!(
                "expected days and hours, for example \"MON-FRI 08:00-17:00, SAT 09:00-12:00\", got {text:?}"
            )
        };
        if text.len() > TEXT {
            return Err(wrong());
        }
        let mut spans = Vec::new();
        let mut days = [false; 7];
        for part in text.split(',') {
            for word in part.split_whitespace() {
                if let Some((from, until)) = times(word) {
                    let every_day = !days.contains(&true);
                    let of_days = if every_day { [true; 7] } else { std::mem::take(&mut days) };
                    spans.push(Span { days: of_days, from, until });
                } else {
                    add(&mut days, word).ok_or_else(wrong)?;
                }
            }
        }
        // Days without hours are left over.
        if spans.is_empty() || days.contains(&true) { Err(wrong()) } else { Ok(Hours(spans)) }
    }

    /// Whether a time is within the hours.
    pub fn contain(&self, time: Timestamp, zone: &TimeZone) -> bool {
        let local = time.to_zoned(zone.clone());
        let minute = local.hour() as u16 * 60 + local.minute() as u16;
        let today = local.weekday();
        self.0.iter().any(|span| {
            let on =
                |day: Weekday, minute: u16| span.is_on(day) && span.from <= minute && minute < span.until;
            on(today, minute) || on(today.wrapping_sub(1), minute + DAY)
        })
    }

    /// The first time from this one on that is within the hours.
    pub fn next(&self, time: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.contain(time, zone) {
            return Some(time);
        }
        let today = time.to_zoned(zone.clone()).date();
        let opens = |day: Date, span: &Span| {
            let hour = Time::new((span.from / 60) as i8, (span.from % 60) as i8, 0, 0).ok()?;
            let at = zone.to_ambiguous_zoned(day.to_datetime(hour)).compatible().ok()?.timestamp();
            (span.is_on(day.weekday()) && at > time).then_some(at)
        };
        let days = (0..=8).filter_map(|ahead| today.checked_add(ahead.days()).ok());
        days.flat_map(|day| self.0.iter().filter_map(move |span| opens(day, span))).min()
    }
}

impl Span {
    fn is_on(&self, day: Weekday) -> bool {
        self.days[day.to_monday_zero_offset() as usize]
    }
}

/// Parses hours of the week with their time zone after them: `MON-FRI 08:00-17:00 Africa/Harare`.
///
/// # Errors
/// If they are not such hours, or the zone is unknown.
pub fn opening_hours(text: &str) -> Result<(Hours, TimeZone), String> {
    let (hours, zone) = text.trim().rsplit_once(char::is_whitespace).unwrap_or((text, ""));
    let zone = TimeZone::get(zone).map_err(|_| {
        let what = match Hours::parse(text) {
            Ok(_) => "the time zone is missing".to_owned(),
            Err(_) if zone.is_empty() => format!("got {:?}", cut(text, 100)),
            Err(_) => format!("there is no zone {:?}", cut(zone, 100)),
        };
        format!("expected hours and their time zone, for example MON-FRI 08:00-17:00 Africa/Harare; {what}")
    })?;
    Ok((Hours::parse(hours)?, zone))
}

/// The first time from this one on that is within hours of the week with their time zone; `None` if they are not such hours.
pub fn next_opening(text: &str, time: Timestamp) -> Option<Timestamp> {
    let (hours, zone) = opening_hours(text).ok()?;
    hours.next(time, &zone)
}

/// Adds `MON`, or all of `MON-FRI`; a range may go over Sunday.
fn add(days: &mut [bool; 7], word: &str) -> Option<()> {
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
    let (first, last) = match word.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(word)?, day(word)?),
    };
    let length = (last + 7 - first) % 7;
    (first..=first + length).for_each(|day| days[day % 7] = true);
    Some(())
}

/// `08:00-17:00`: the minutes of the day, the second one after the first.
fn times(word: &str) -> Option<(u16, u16)> {
    let (from, until) = word.split_once('-')?;
    let (from, until) = (minute(from)?, minute(until)?);
    (from < DAY && from != until).then(|| (from, if until > from { until } else { until + DAY }))
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, most: u16| {
        let digits = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| digits && *number <= most)
    };
    let minutes = number(hour, 24)? * 60 + number(minute, 59)?;
    (minutes <= DAY).then_some(minutes)
}
