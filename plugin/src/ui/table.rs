//! Tables as kubectl prints them: upper-case heads, columns by spaces, no lines.

use comfy_table::{Table, presets};

/// A table of a head and rows.
#[must_use]
pub fn table<R: IntoIterator<Item = Vec<String>>>(head: &[&str], rows: R) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn aligns_like_kubectl() {
        let text = super::table(&["MESH", "VERSION"], [vec!["default".to_owned(), "1.30.3".to_owned()]]);
        assert_eq!(text, "MESH      VERSION\ndefault   1.30.3");
    }
}
