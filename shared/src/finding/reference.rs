//! The reference of all findings as a Markdown page, generated from the codes.

use super::{Code, Family};
use std::fmt::Write as _;

/// The page that stands in the repository as `shared/reference/findings.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Findings\n\nEvery result of `kubectl mesh-upgrade check` has a code that keeps its meaning; \
         `kubectl mesh-upgrade explain CODE` prints the same text. A *blocker* stops an upgrade, a *warning* should be \
         read, an *info* is worth knowing. This page is generated from the code.\n",
    );
    for family in Family::ALL {
        let _ = write!(page, "\n## {} (MU{}xx)\n", family.title(), family.digit());
        for code in Code::all().filter(|code| code.family() == family) {
            let waivable = if code.is_waivable() {
                "may be waived"
            } else {
                "cannot be waived"
            };
            let _ = write!(
                page,
                "\n### {code}: {}\n\n*{}, {waivable}*\n\n- Cause: {}\n- Evidence: {}\n- Fix: {}\n",
                code.title(),
                code.severity(),
                code.cause(),
                code.evidence(),
                code.fix()
            );
        }
    }
    page
}
