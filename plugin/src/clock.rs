//! Where the plugin reads the clock for the core, which never does.

use k8s_openapi::jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Today in UTC, for ends of life and other days that releases name.
#[must_use]
pub fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Now, to the second: the API server keeps no more of it, and what is read back must equal what was written.
#[must_use]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
