//! Versions: what is read is shown as something that is read alike, and no move of more than a minor counts as one hop.

use std::cmp::Ordering;

use shared::version::{IstioVersion, KubernetesVersion, Minor, Move};

/// Reads the first line as one version, and the first two as a move.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (first, second) = (next(), next());
    if let Ok(minor) = first.parse::<Minor>() {
        assert_eq!(minor.to_string().parse(), Ok(minor));
    }
    if let Ok(version) = first.parse::<KubernetesVersion>() {
        let again = version.git_version.parse::<KubernetesVersion>();
        assert_eq!(again.as_ref(), Ok(&version));
    }
    let (Some(from), Some(to)) = (read(first), read(second)) else {
        return;
    };
    assert_eq!(from.cmp_release(&to), to.cmp_release(&from).reverse());
    assert_eq!(Move::between(&from, &from), Move::None);
    let there = Move::between(&from, &to);
    match there {
        Move::OtherFlavor => assert_ne!(from.flavor, to.flavor),
        _ => assert_eq!(from.flavor, to.flavor),
    }
    if matches!(there, Move::None | Move::Patch | Move::OneMinor) {
        assert_eq!(from.major, to.major);
        assert!(
            to.minor == from.minor || Some(to.minor) == from.minor.checked_add(1),
            "{from} to {to}"
        );
        assert_ne!(from.cmp_release(&to), Ordering::Greater, "{from} to {to}");
    }
    if there == Move::Downgrade {
        assert_ne!(Move::between(&to, &from), Move::Downgrade, "{from} to {to}");
    }
}

fn read(text: &str) -> Option<IstioVersion> {
    let version: IstioVersion = text.parse().ok()?;
    let shown = version.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&version), "{text:?} is shown as {shown:?}");
    assert!(shown.len() <= text.len(), "{text:?} grows to {shown:?}");
    Some(version)
}
