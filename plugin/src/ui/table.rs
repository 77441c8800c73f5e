//! Tables as kubectl prints them: upper-case heads, columns by spaces, no lines. On a terminal that is too narrow for them
//! cells are broken; elsewhere never, so that lines stay lines for whatever reads them.

use comfy_table::{ContentArrangement, Table, presets};

/// A table of a head and rows, as wide as the terminal allows.
#[must_use]
pub fn table<R: IntoIterator<Item = Vec<String>>>(head: &[&str], rows: R) -> String {
    of_width(head, rows, super::terminal_width())
}

fn of_width<R: IntoIterator<Item = Vec<String>>>(head: &[&str], rows: R, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    if let Some(width) = width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_like_kubectl() {
        let text = of_width(
            &["MESH", "VERSION"],
            [vec!["default".to_owned(), "1.30.3".to_owned()]],
            None,
        );
        assert_eq!(text, "MESH      VERSION\ndefault   1.30.3");
    }

    #[test]
    fn is_as_wide_as_the_terminal_and_loses_nothing() {
        let words = "the mesh's control planes run different versions and one of them cannot be read at all";
        let row = || {
            vec![
                "Blocker".to_owned(),
                "MU105".to_owned(),
                "east".to_owned(),
                words.to_owned(),
            ]
        };
        let head = ["SEVERITY", "CODE", "CLUSTER", "CAUSE"];
        let broad = of_width(&head, [row()], Some(200));
        assert_eq!(broad, of_width(&head, [row()], None));
        for width in [60, 80] {
            let text = of_width(&head, [row()], Some(width));
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
            assert!(words.split(' ').all(|word| text.contains(word)), "{text}");
            assert!(text.lines().count() > 2, "{text}");
        }
    }
}
