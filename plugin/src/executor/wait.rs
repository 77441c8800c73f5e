//! Waiting with a deadline that begins anew as long as something comes on, and saying what for.

use super::{frozen::Telling, pauses::Pauses};
use shared::{
    machine::News,
    patience::{Left, Patience},
};
use std::time::{Duration, Instant};

/// How often it is looked, unless something else is said.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is waited for.
pub(super) struct Waiting {
    /// In words.
    pub what: String,
    /// How many have come, or, below zero, are missing, where they can be counted: with each that comes the deadline begins
    /// anew.
    pub come: Option<i64>,
}

impl From<String> for Waiting {
    fn from(what: String) -> Self {
        Self { what, come: None }
    }
}

impl From<Left> for Waiting {
    fn from(left: Left) -> Self {
        Self {
            what: left.what,
            come: Some(left.count.saturating_neg()),
        }
    }
}

/// A wait with a deadline that tells what it waits for.
pub(super) struct Wait<S> {
    deadline: Duration,
    every: Duration,
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
    Wait {
        deadline,
        every: LOOK_EVERY,
        say,
    }
}

impl<S: FnMut(&str)> Wait<S> {
    /// Looks as often as this, once some time has passed.
    pub fn looking_every(self, every: Duration) -> Self {
        Self { every, ..self }
    }

    /// Looks until it is found.
    ///
    /// # Errors
    /// What was waited for in vain.
    pub async fn wait_for<T, W: Into<Waiting>, F: Future<Output = Result<T, W>>>(
        mut self,
        mut try_once: impl FnMut() -> F,
    ) -> Result<T, String> {
        let started = Instant::now();
        let mut pauses = Pauses::up_to(self.every);
        let mut patience = Patience::of(self.deadline);
        loop {
            let Waiting { what, come } = match try_once().await {
                Ok(found) => return Ok(found),
                Err(waiting) => waiting.into(),
            };
            if patience.is_over(started.elapsed(), come) {
                return Err(in_vain(self.deadline, &what));
            }
            (self.say)(&what);
            pauses.pause().await;
        }
    }
}

/// What a wait that is given up says.
pub(super) fn in_vain(time: Duration, what: &str) -> String {
    format!("waited {} s in vain for {what}", time.as_secs())
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
                        come: Some(-left),
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
