//! Values of flags, read from what was typed.

use k8s_openapi::jiff::SignedDuration;
use shared::{catalog::Date, version::IstioVersion};
use std::time::Duration;

/// A version of Istio.
pub(super) fn version(text: &str) -> Result<IstioVersion, String> {
    text.parse()
        .map_err(|error: shared::version::VersionError| error.to_string())
}

/// A day.
pub(super) fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "expected a day, as 2027-01-31".to_owned())
}

/// A component that gets no time, or a week, is a slip of the pen.
pub(super) fn step_timeout(text: &str) -> Result<Duration, String> {
    let timeout = duration(text)?;
    let range = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
    if range.contains(&timeout) {
        Ok(timeout)
    } else {
        Err("expected between 1s and 24h".to_owned())
    }
}

/// No wait is without a deadline, so what kubectl calls none is an hour.
pub(super) fn request_timeout(text: &str) -> Result<Duration, String> {
    const NONE: Duration = Duration::from_secs(3600);
    let timeout = duration(text)?;
    Ok(if timeout.is_zero() { NONE } else { timeout })
}

/// Reads `90s`, `10m`, `1m30s`, `1h`, or `0` for none, as kubectl does; a number alone is of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a duration, as 30s, 10m or 1h".to_owned();
    let is_one_word = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    if !is_one_word || !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(expected());
    }
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let read: SignedDuration = text.parse().map_err(|_| expected())?;
    Duration::try_from(read).map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        for (text, seconds) in [
            ("30s", 30),
            ("10m", 600),
            ("1h", 3600),
            ("5", 5),
            ("1m30s", 90),
            ("1h0m5s", 3605),
            ("1.5h", 5400),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "s",
            "1d",
            "-1s",
            "+1s",
            "1m-30s",
            "1m 30s",
            "PT1H",
            "30s1m",
            "99999999999999999h",
            "99999999999999999999",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_timeout_is_a_long_one() {
        for text in ["0", "0s", "0ms"] {
            assert_eq!(request_timeout(text), Ok(Duration::from_secs(3600)));
        }
        assert_eq!(request_timeout("250ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn a_component_gets_some_time_and_not_for_ever() {
        for text in ["0", "0s", "25h", "18446744073709551615s"] {
            assert!(step_timeout(text).is_err(), "{text}");
        }
        assert_eq!(step_timeout("24h"), Ok(Duration::from_secs(86400)));
    }
}
