#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use super::*;

/// Keeps numbers, and refuses negative ones; writes down the size of each try.
#[derive(Clone, Default)]
struct Numbers {
    kept: Arc<Mutex<Vec<i32>>>,
    tries: Arc<Mutex<Vec<usize>>>,
}

impl Commit for Numbers {
    type Item = i32;
    type Answer = usize;

    const NAME: &'static str = "numbers";
    const SIZE: usize = 100;

    fn size(item: &i32) -> usize {
        item.unsigned_abs() as usize
    }

    async fn commit(&self, items: &[&i32]) -> Result<Vec<Outcome<usize>>, StoreError> {
        self.tries.lock().unwrap().push(items.len());
        if items.iter().any(|item| **item < 0) {
            return Err(StoreError::Statement("negative".to_owned()));
        }
        let mut kept = self.kept.lock().unwrap();
        kept.extend(items.iter().copied());
        Ok(items.iter().map(|_| Outcome::Done(kept.len())).collect())
    }
}

fn queued(items: &[i32]) -> (Vec<Queued<Numbers>>, Vec<oneshot::Receiver<Answered<Numbers>>>) {
    let queue = |item: &i32| {
        let (answer, answered) = oneshot::channel();
        (Queued { item: *item, deadline: Instant::now() + PATIENCE, answer }, answered)
    };
    items.iter().map(queue).unzip()
}

#[tokio::test]
async fn an_item_that_is_refused_fails_alone() {
    let numbers = Numbers::default();
    let items: Vec<i32> = (0..100).map(|n| if n == 37 || n == 38 { -1 } else { n }).collect();
    let (batch, answers) = queued(&items);
    write(&numbers, batch).await;
    for (n, mut answer) in answers.into_iter().enumerate() {
        let answer = answer.try_recv().unwrap();
        assert_eq!(answer.is_err_and(|refusal| refusal == Refusal::Failed), n == 37 || n == 38, "{n}");
    }
    assert_eq!(numbers.kept.lock().unwrap().len(), 98, "each is kept once");
    assert!(numbers.kept.lock().unwrap().is_sorted(), "in their order");
    assert!(numbers.tries.lock().unwrap().len() < 30, "by halves, not one by one");
}

#[tokio::test]
async fn a_commit_is_bounded() {
    let numbers = Numbers::default();
    let (sender, queue) = mpsc::channel(10);
    let (batch, answers) = queued(&[60, 40, 1, 500, 7]);
    for queued in batch {
        assert!(sender.send(queued).await.is_ok());
    }
    drop(sender);
    run(numbers.clone(), queue).await;
    assert_eq!(*numbers.tries.lock().unwrap(), [2, 1, 1, 1]);
    assert!(answers.into_iter().all(|mut answer| answer.try_recv().unwrap().is_ok()));
}

#[tokio::test]
async fn whoever_is_gone_is_not_written() {
    let numbers = Numbers::default();
    let (batch, answers) = queued(&[1, 2]);
    drop(answers);
    write(&numbers, batch).await;
    assert!(numbers.kept.lock().unwrap().is_empty());
}
