//! The references in the repository are the ones that the code generates.

mod kept;

use kept::is_up_to_date;

#[test]
fn the_reference_of_findings_is_up_to_date() {
    is_up_to_date("shared/reference/findings.md", &shared::finding::reference());
}

#[test]
fn the_reference_of_the_guard_is_up_to_date() {
    is_up_to_date("shared/reference/guard.md", &shared::guard::coverage::reference());
}

#[test]
fn the_reference_of_releases_is_up_to_date() {
    is_up_to_date("shared/reference/releases.md", &shared::preflight::rules::reference());
}

#[test]
fn the_reference_of_resources_is_up_to_date() {
    is_up_to_date("shared/reference/resources.md", &shared::api::reference());
}

/// What a reader of Markdown can be led to on a page: each heading in small letters, blanks as hyphens, other signs left out.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter_map(|line| {
        let text = line.trim_start_matches('#');
        text.strip_prefix(' ').filter(|_| line.starts_with('#'))
    });
    let kept = |sign: &char| sign.is_alphanumeric() || [' ', '-', '_'].contains(sign);
    headings
        .map(|heading| {
            let text: String = heading.to_lowercase().chars().filter(kept).collect();
            text.replace(' ', "-")
        })
        .collect()
}

#[test]
fn each_finding_leads_to_one_heading_of_the_page() {
    let found = anchors(&shared::finding::reference());
    for code in shared::finding::Code::all() {
        let anchor = code.anchor();
        let leads_to = anchor.strip_prefix("shared/reference/findings.md#");
        let times = found.iter().filter(|one| Some(one.as_str()) == leads_to).count();
        assert_eq!(times, 1, "{anchor}");
    }
}
