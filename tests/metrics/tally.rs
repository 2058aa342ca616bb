//! What is kept for charts.

use hookswitch::{
    metrics::TemplateCounts,
    store::{Step, Store},
};
use jiff::{SignedDuration, Timestamp};

use crate::harness::Database;

#[tokio::test]
async fn counts_are_added_up_by_minute_and_hour_and_old_ones_go() {
    let database = Database::create().await;
    let store = Store::new(database.url().parse().unwrap(), 2).unwrap();
    store.migrate().await.unwrap();
    for n in [1, 2] {
        store.add_tally(&[("send", "accepted", n), ("event", "accepted", 10 * n)]).await.unwrap();
    }
    let of = async |step| {
        let since = Timestamp::now() - SignedDuration::from_hours(24 * 60);
        let mut sums = [0, 0];
        let found = store.tally(step, since).await.unwrap();
        assert!(found.is_sorted_by_key(|bucket| bucket.at), "{found:?}");
        for bucket in &found {
            assert_eq!(bucket.at.as_second() % i64::from(step.seconds()), 0, "{bucket:?}");
            sums[usize::from(bucket.kind == "send")] += bucket.n;
        }
        sums
    };
    for step in Step::ALL {
        assert_eq!(of(step).await, [30, 3]);
    }
    assert_eq!(store.tally(Step::Minute, Timestamp::now()).await.unwrap(), []);

    let old = "INSERT INTO tally SELECT step, date_bin('1 hour', now() - age, 'epoch'), 'send', 'old', 100
               FROM (VALUES (60, interval '3 days'), (3600, interval '3 days'), (3600, interval '31 days')) AS o (step, age)";
    database.query(old, &[]).await;
    assert_eq!((of(Step::Minute).await, of(Step::Hour).await), ([30, 103], [30, 203]));
    store.prune_tally().await.unwrap();
    // Minutes are kept for two days, hours for 30.
    assert_eq!((of(Step::Minute).await, of(Step::Hour).await), ([30, 3], [30, 103]));
}

#[tokio::test]
async fn what_became_of_a_template_is_added_up_by_day_and_old_days_go() {
    let database = Database::create().await;
    let store = Store::new(database.url().parse().unwrap(), 2).unwrap();
    store.migrate().await.unwrap();
    let counts = |sent, failed| TemplateCounts { sent, delivered: 1, read: 0, failed };
    store.add_template_day(&[("b".to_owned(), counts(5, 0)), ("a".to_owned(), counts(2, 1))]).await.unwrap();
    store.add_template_day(&[("a".to_owned(), counts(3, 0))]).await.unwrap();
    let old = "INSERT INTO template_day SELECT 'a', current_date - d, 9, 9, 9, 9 FROM unnest(ARRAY[20, 40, 500]) AS d";
    database.query(old, &[]).await;
    let of = async |days| {
        let found = store.template_days(&["a", "none"], days).await.unwrap();
        found.into_iter().map(|day| (day.template, day.counts.sent, day.counts.failed)).collect::<Vec<_>>()
    };
    let a = |sent, failed| ("a".to_owned(), sent, failed);
    assert_eq!(of(30).await, [a(9, 9), a(5, 1)]);
    assert_eq!(of(1_000).await.len(), 4);
    store.prune_template_days().await.unwrap();
    assert_eq!(of(1_000).await, [a(9, 9), a(9, 9), a(5, 1)]);
}
