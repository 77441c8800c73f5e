//! Pauses between looks at something that is waited for: short at first, since most things come at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);

/// Each pause is twice as long as the one before it, up to the longest.
#[derive(Debug)]
pub struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    /// Pauses that grow to the longest.
    #[must_use]
    pub fn up_to(longest: Duration) -> Self {
        Self {
            next: FIRST.min(longest),
            longest,
        }
    }

    /// Waits for the next one.
    pub async fn pause(&mut self) {
        tokio::time::sleep(self.take()).await;
    }

    fn take(&mut self) -> Duration {
        let taken = self.next;
        self.next = taken.saturating_mul(2).min(self.longest);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest() {
        let mut pauses = Pauses::up_to(Duration::from_millis(150));
        let taken: Vec<u128> = (0..4).map(|_| pauses.take().as_millis()).collect();
        assert_eq!(taken, [50, 100, 150, 150]);
        assert_eq!(Pauses::up_to(Duration::ZERO).take(), Duration::ZERO);
    }
}
