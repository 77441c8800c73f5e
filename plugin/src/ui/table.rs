//! Tables as kubectl prints them: upper-case heads, columns by spaces, no lines. On a terminal that is too narrow for them
//! cells are broken; elsewhere never, so that lines stay lines for whatever reads them.

use super::wrap;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

/// A table of a head and rows, as wide as a terminal of so many columns allows: with less between its columns, or where that
/// would break words all the same, row by row, each cell behind its head. What its first column is set in by, all of its
/// lines are.
#[must_use]
pub fn table<H: AsRef<str>, R: IntoIterator<Item = Vec<String>>>(head: &[H], rows: R, width: Option<usize>) -> String {
    let mut rows: Vec<Vec<String>> = rows.into_iter().collect();
    let mut head: Vec<String> = head.iter().map(|head| head.as_ref().to_owned()).collect();
    // Where a cell is broken, its blanks would be lost: the lines bear them.
    let firsts = || std::iter::once(&head).chain(&rows).filter_map(|row| row.first());
    let blanks = firsts()
        .map(|cell| cell.len() - cell.trim_start_matches(' ').len())
        .min();
    let indent = " ".repeat(blanks.unwrap_or_default());
    for row in std::iter::once(&mut head).chain(&mut rows) {
        if let Some(cell) = row.first_mut() {
            cell.drain(..indent.len());
        }
    }
    let text = within(head, rows, width.map(|width| width.saturating_sub(indent.len())));
    let lines = text.lines().map(|line| format!("{indent}{line}"));
    lines
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn within(head: Vec<String>, rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    let Some(width) = width else {
        return columns(head, rows, APART, None);
    };
    let longest: Vec<usize> = (0..head.len()).map(|at| longest(&head, &rows, at)).collect();
    let needed = |apart: usize| longest.iter().sum::<usize>() + apart * longest.len().saturating_sub(1);
    match (1..=APART).rev().find(|apart| needed(*apart) <= width) {
        Some(apart) => columns(head, rows, apart, Some((width, &longest))),
        None => records(&head, &rows, width),
    }
}

/// Blanks between columns, where there is room.
const APART: usize = 3;

/// How wide the longest word of a column is, its head among them. A long word of a script without spaces may be broken.
fn longest(head: &[String], rows: &[Vec<String>], at: usize) -> usize {
    // What is set in keeps its blanks.
    let blanks = |text: &String| text.len() - text.trim_start_matches(' ').len();
    let words = |text: &String| blanks(text) + text.split(' ').map(wrap::width).max().unwrap_or_default();
    let cells = rows.iter().filter_map(|row| row.get(at));
    let widest = cells.map(|cell| words(cell).min(wrap::longest_piece(cell).max(READABLE) + blanks(cell)));
    widest.chain(head.get(at).map(words)).max().unwrap_or_default()
}

/// A column that is narrower than this shows Chinese that nobody can read.
const READABLE: usize = 16;

fn columns(head: Vec<String>, rows: Vec<Vec<String>>, apart: usize, within: Option<(usize, &[usize])>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    let blanks = |blanks: usize| u16::try_from(blanks).unwrap_or(u16::MAX);
    let last = table.column_count().saturating_sub(1);
    for (at, column) in table.column_iter_mut().enumerate() {
        let apart = if at < last { apart } else { 0 };
        column.set_padding((0, blanks(apart)));
        if let Some((_, longest)) = within {
            let least = longest.get(at).copied().unwrap_or_default() + apart;
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(blanks(least))));
        }
    }
    if let Some((width, _)) = within {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(blanks(width));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Each row as lines of its own.
fn records(head: &[String], rows: &[Vec<String>], width: usize) -> String {
    let names = head
        .iter()
        .map(|head| wrap::width(head.trim()))
        .max()
        .unwrap_or_default();
    let record = |row: &Vec<String>| {
        let cells = head.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        let lines = cells.map(|(head, cell)| {
            let name = head.trim();
            let blanks = " ".repeat(names - wrap::width(name) + 2);
            format!("{name}{blanks}{}", wrap::within(cell.trim(), names + 2, width))
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(record).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_like_kubectl() {
        let text = table(
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
        let broad = table(&head, [row()], Some(200));
        assert_eq!(broad, table(&head, [row()], None));
        for width in [60, 80] {
            let text = table(&head, [row()], Some(width));
            for line in text.lines() {
                assert!(crate::ui::width(line) <= width, "{width}: {line}");
            }
            assert!(words.split(' ').all(|word| text.contains(word)), "{text}");
            assert!(text.lines().count() > 2, "{text}");
        }
    }
    /// Where each column of a table begins, by what stands in it.
    fn begins(line: &str, cell: &str) -> usize {
        let (before, _) = line
            .split_once(cell)
            .unwrap_or_else(|| panic!("{cell} is not in {line}"));
        crate::ui::width(before)
    }

    #[test]
    fn columns_of_chinese_stand_under_their_heads() {
        let head = ["网格", "控制平面版本", "说明"];
        let rows = || [["默认", "1.30.3", "一"], ["default", "未知", "two"]].map(|row| row.map(str::to_owned).to_vec());
        for width in [None, Some(60), Some(80), Some(200)] {
            let text = table(&head, rows(), width);
            let lines: Vec<&str> = text.lines().collect();
            for (line, row) in lines[1..].iter().zip(rows()) {
                for (cell, head) in row.iter().zip(head) {
                    assert_eq!(begins(line, cell), begins(lines[0], head), "{width:?}\n{text}");
                }
            }
        }
        let cause = "网格的控制平面运行不同的版本，其中一个完全无法读取，因此不能判断它能否升级到目标版本";
        for width in [60, 80] {
            let row = vec!["阻塞".to_owned(), "MU105".to_owned(), cause.repeat(2)];
            let text = table(&["严重程度", "代码", "原因"], [row], Some(width));
            let lines: Vec<&str> = text.lines().collect();
            let column = begins(lines[0], "原因");
            for line in &lines[2..] {
                assert!(crate::ui::width(line) <= width, "{width}: {line}");
                let blanks = line.len() - line.trim_start().len();
                assert_eq!(blanks, column, "{text}");
            }
            assert!(text.matches(|letter| cause.contains(letter)).count() >= cause.chars().count() * 2);
        }
    }

    #[test]
    fn what_is_set_in_stays_so() {
        let evidence = "chart base 1.31.3 deployed as revision 2";
        let row = |step: &str| {
            [
                "  ".to_owned() + step,
                "Done".to_owned(),
                "1".to_owned(),
                evidence.to_owned(),
            ]
            .to_vec()
        };
        let steps = ["east/base/istio-system/istio-base", "east/istiod/istio-system/istiod"];
        let head = ["  STEP", "STATE", "ATTEMPTS", "EVIDENCE"];
        let text = table(&head, steps.map(row), Some(80));
        for step in steps {
            assert!(text.contains(&format!("\n  {step}")), "{text}");
        }
        assert_eq!(
            table(&head, steps.map(row), None),
            table(&head, steps.map(row), Some(200))
        );
        // A first cell that is broken, too, and what stands beside what another cell is broken into.
        let long = ["every object of Istio's own that stands in a namespace of the mesh and is guarded"];
        for text in [text, table(&head, long.map(row), Some(60))] {
            assert!(text.lines().count() > 2, "{text}");
            for line in text.lines() {
                assert!(line.starts_with("  ") && crate::ui::width(line) <= 80, "{text}");
            }
            assert!(text.starts_with("  STEP"), "{text}");
        }
    }

    #[test]
    fn words_stay_whole_on_a_narrow_terminal() {
        let head = [
            "MESH",
            "MANAGEMENT",
            "VERSION",
            "FLAVOR",
            "CLUSTERS",
            "AVAILABLE",
            "UPGRADE",
        ];
        let row = [
            "default",
            "Dedicated",
            "1.30.3",
            "community",
            "east,west",
            "↑ 1.31.3",
            "-",
        ];
        let row = || row.map(str::to_owned).to_vec();
        for width in [50, 60, 70, 80, 200] {
            let text = table(&head, [row(), row()], Some(width));
            for word in head.iter().copied().chain(["Dedicated", "community", "east,west"]) {
                assert!(text.contains(word), "{width}: {text}");
            }
            for line in text.lines() {
                assert!(crate::ui::width(line) <= width, "{width}: {line}");
            }
        }
        let narrow = table(&head, [row(), row()], Some(50));
        assert!(
            narrow.starts_with("MESH        default\nMANAGEMENT  Dedicated\n"),
            "{narrow}"
        );
        assert!(narrow.contains("\n\nMESH        default\n"), "{narrow}");
    }
}
