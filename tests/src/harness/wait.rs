//! Waiting for something that only polling can see.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// How often [`wait_until`] looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until `look` gives a value, and names `what` it waited for if that takes longer than
/// `deadline`. An error of `look` counts as not yet: an API server may just be restarting.
pub fn wait_until<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        let last = match look() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if began.elapsed() >= deadline {
            let waited = format!("waited {deadline:?} for {what}");
            return Err(match last {
                Some(error) => error.context(waited),
                None => anyhow!(waited),
            });
        }
        sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_waited_for_and_the_last_error() {
        let error = wait_until::<()>("the moon", Duration::ZERO, || Err(anyhow!("clouds"))).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("for the moon") && text.contains("clouds"), "{text}");
    }

    #[test]
    fn an_error_is_not_the_end() {
        let mut looks = 0;
        let value = wait_until("a second look", Duration::from_secs(5), || {
            looks += 1;
            if looks == 1 {
                Err(anyhow!("not yet"))
            } else {
                Ok(Some(looks))
            }
        });
        assert_eq!(value.unwrap(), 2);
    }
}
