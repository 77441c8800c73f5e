//! Values of flags, read from what was typed.

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

/// Reads `90s`, `10m`, `1h`, or `0` for none, as kubectl does.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "ms" | "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("expected a duration, as 30s, 10m or 1h".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a duration, as 30s, 10m or 1h".to_owned())?;
    if unit == "ms" {
        return Ok(Duration::from_millis(number));
    }
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(|| "the duration is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("1h", 3600), ("5", 5)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "s", "1d", "-1s", "99999999999999999h"] {
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
