//! Where the plugin reads the clock for the core, which never does.

use k8s_openapi::jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::time::Duration;

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

/// Time that also passes while this process is stopped, or its machine sleeps; only differences of it mean something.
#[cfg(unix)]
#[must_use]
pub fn passed() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    // On Linux the monotonic clock stands still while the machine sleeps.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Time that also passes while this process is stopped, or its machine sleeps; only differences of it mean something.
#[cfg(not(unix))]
#[must_use]
pub fn passed() -> Duration {
    static BEGUN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGUN.elapsed()
}
