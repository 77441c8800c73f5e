//! Properties that hold for every version and every catalog's text, not only for those of the tables.

use proptest::prelude::*;
use shared::{
    catalog::Catalog,
    version::{Flavor, IstioVersion, Minor, Move},
};
use std::{cmp::Ordering, sync::LazyLock};

#[expect(clippy::unwrap_used, reason = "the embedded catalog is read by a test of its own")]
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());

/// Versions as vendors tag them, close enough to each other that all moves occur.
fn version() -> impl Strategy<Value = IstioVersion> {
    let pre = prop_oneof![
        4 => Just(String::new()),
        1 => (prop_oneof![Just("alpha"), Just("beta"), Just("rc")], 0_u64..12).prop_map(|(word, n)| format!("-{word}.{n}")),
    ];
    let vendor = prop_oneof![
        4 => Just(String::new()),
        1 => Just("-mspider".to_owned()),
        1 => Just("-solo-fips".to_owned()),
        1 => (0_u64..12).prop_map(|n| format!("-asm.{n}")),
        1 => (0_u64..12).prop_map(|n| format!("-tetrate-v{n}")),
        1 => (0_u64..12).prop_map(|n| format!("-r{n}")),
    ];
    let variant = prop_oneof![Just(""), Just("-distroless"), Just("-debug")];
    (1_u64..3, 0_u64..5, 0_u64..5, pre, vendor, variant).prop_filter_map(
        "a tag that the parser accepts",
        |(major, minor, patch, pre, vendor, variant)| {
            format!("{major}.{minor}.{patch}{pre}{vendor}{variant}").parse().ok()
        },
    )
}

/// The embedded catalog's text, spoilt in places.
fn spoilt_catalog() -> impl Strategy<Value = String> {
    const TEXT: &str = include_str!("../data/catalog.yaml");
    let piece = prop_oneof![
        "[ -~]{0,8}",
        Just("\n".to_owned()),
        Just("\"1.99\"".to_owned()),
        Just("&a [*a]".to_owned()),
        Just("-".to_owned()),
        Just("\u{0}\u{feff}".to_owned()),
    ];
    proptest::collection::vec((0..TEXT.len(), 0_usize..200, piece), 1..4).prop_map(|edits| {
        let mut text = TEXT.to_owned();
        for (start, length, piece) in edits {
            let start = start.min(text.len());
            let end = (start + length).min(text.len());
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                text.replace_range(start..end, &piece);
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_reads_back(version in version()) {
        let read: IstioVersion = version.to_string().parse().unwrap();
        prop_assert_eq!(&read, &version);
        prop_assert_eq!(read.cmp_release(&version), Ordering::Equal);
    }

    #[test]
    fn the_order_is_total(a in version(), b in version(), c in version()) {
        prop_assert_eq!(a.cmp_release(&b), b.cmp_release(&a).reverse());
        if a.cmp_release(&b).is_le() && b.cmp_release(&c).is_le() {
            prop_assert!(a.cmp_release(&c).is_le(), "{} <= {} <= {}", a, b, c);
        }
        if a.minor() != b.minor() {
            prop_assert_eq!(a.cmp_release(&b), a.minor().cmp(&b.minor()));
        }
    }

    #[test]
    fn no_allowed_move_skips_a_minor_goes_back_or_changes_the_flavor(a in version(), b in version()) {
        if Move::between(&a, &b).is_allowed() {
            prop_assert!(matches!(a.minor().distance(b.minor()), Some(0 | 1)), "{} -> {}", a, b);
            prop_assert_ne!(b.cmp_release(&a), Ordering::Less);
            prop_assert_eq!(&a.flavor, &b.flavor);
        }
    }

    #[test]
    fn a_move_and_its_way_back_are_not_both_forward(a in version(), b in version()) {
        let forward = |m| matches!(m, Move::Patch | Move::OneMinor | Move::Skip);
        prop_assert!(!(forward(Move::between(&a, &b)) && forward(Move::between(&b, &a))));
    }

    #[test]
    fn the_newest_reachable_is_always_an_allowed_move(patch in 0_u64..20, minor in 8_u64..34, vendor in any::<bool>()) {
        let suffix = if vendor { "-mspider" } else { "" };
        let from: IstioVersion = format!("1.{minor}.{patch}{suffix}").parse().unwrap();
        if let Some(to) = CATALOG.reachable(&from).next() {
            prop_assert!(matches!(Move::between(&from, to), Move::Patch | Move::OneMinor), "{} -> {}", from, to);
            prop_assert!(CATALOG.knows(to));
        }
    }

    #[test]
    fn whatever_is_read_as_a_version_reads_back(text in "1\\.3[01]\\.[0-9](-(r|rc|x|debug|[a-z0-9]{1,3})([.-]?[0-9a-z]{1,2})?){0,3}") {
        if let Ok(version) = text.parse::<IstioVersion>() {
            let shown = version.to_string();
            prop_assert_eq!(shown.parse::<IstioVersion>().ok(), Some(version), "{} shown as {}", text, shown);
        }
    }

    #[test]
    fn no_text_makes_the_version_parser_panic(text in "\\PC{0,40}") {
        if let Ok(version) = text.parse::<IstioVersion>() {
            prop_assert_eq!(version.to_string().parse::<IstioVersion>().unwrap(), version);
        }
        let _ = IstioVersion::from_image(&text);
        let _ = text.parse::<Minor>();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spoilt_catalog_is_read_or_refused_with_a_reason(text in spoilt_catalog()) {
        match Catalog::from_yaml(&text, "spoilt") {
            Ok(catalog) => {
                for entry in &catalog.flavors {
                    prop_assert!(entry.releases.windows(2).all(|pair| pair[0].minor < pair[1].minor));
                    for release in &entry.releases {
                        prop_assert!(release.range().is_some_and(|range| range.min <= range.max));
                        prop_assert_eq!(&release.newest_patch.flavor, &entry.flavor);
                    }
                }
            }
            Err(error) => prop_assert!(!error.reason.is_empty() && error.to_string().starts_with("spoilt")),
        }
    }

    #[test]
    fn garbage_is_no_catalog(text in "\\PC{0,200}") {
        let read = Catalog::from_yaml(&text, "garbage");
        prop_assert!(read.is_err() || read.is_ok_and(|catalog| catalog.releases(&Flavor::Native).is_empty()));
    }
}
