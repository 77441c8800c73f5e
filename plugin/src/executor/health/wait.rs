//! Waiting with a deadline that begins anew as long as something comes on, and saying what for.

use crate::executor::{frozen::Telling, pauses::Pauses};
use shared::{
    machine::News,
    patience::{Left, Patience},
};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is waited for.
pub(super) struct Waiting {
    /// In words.
    pub what: String,
    /// How many are left to come, where they can be counted: with each that comes the deadline begins anew.
    pub left: Option<i64>,
}

impl From<String> for Waiting {
    fn from(what: String) -> Self {
        Self { what, left: None }
    }
}

impl From<Left> for Waiting {
    fn from(left: Left) -> Self {
        Self {
            what: left.what,
            left: Some(left.count),
        }
    }
}

/// A wait with a deadline that tells what it waits for.
pub(super) struct Wait<S> {
    deadline: Duration,
    say: S,
}

/// Says what is waited for to whoever shows it; nobody listens any more only when the upgrade is being left.
pub(super) fn telling(news: &Telling) -> impl FnMut(&str) {
    |what| drop(news.send(News::Waits(Some(what.to_owned()))))
}

/// Says what is waited for when it changes.
pub(super) fn once_each(mut say: impl FnMut(&str)) -> impl FnMut(&str) {
    let mut said = String::new();
    move |what| {
        if what != said {
            say(what);
            what.clone_into(&mut said);
        }
    }
}

pub(super) fn within<S: FnMut(&str)>(deadline: Duration, say: S) -> Wait<S> {
    Wait { deadline, say }
}

impl<S: FnMut(&str)> Wait<S> {
    pub async fn wait_for<T, W: Into<Waiting>, F: Future<Output = Result<T, W>>>(
        mut self,
        mut try_once: impl FnMut() -> F,
    ) -> Result<T, String> {
        let started = Instant::now();
        let mut pauses = Pauses::up_to(LOOK_EVERY);
        let mut patience = Patience::of(self.deadline);
        loop {
            let Waiting { what, left } = match try_once().await {
                Ok(found) => return Ok(found),
                Err(waiting) => waiting.into(),
            };
            if patience.is_over(started.elapsed(), left.map(i64::saturating_neg)) {
                return Err(format!("waited {} s in vain for {what}", self.deadline.as_secs()));
            }
            (self.say)(&what);
            pauses.pause().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn proxies_that_come_back_one_after_the_other_are_waited_for() {
        for (looks, expected) in [
            (&[5, 3, 1, 0][..], Ok(())),
            (&[5, 5], Err("5 to come")),
            (&[5, 3, 4], Err("4 to come")),
        ] {
            let mut looks = looks.iter().copied();
            // With no time at all, each look has to find fewer than the one before it.
            let wait = within(Duration::ZERO, |_: &str| {});
            let waited = wait.wait_for(|| {
                let left: i64 = looks.next().unwrap();
                std::future::ready(if left == 0 {
                    Ok(())
                } else {
                    Err(Waiting {
                        what: format!("{left} to come"),
                        left: Some(left),
                    })
                })
            });
            match (waited.await, expected) {
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                (waited, expected) => assert_eq!(waited, expected.map_err(str::to_owned)),
            }
        }
    }
}
