//! A terminal's screen as an SVG: text stays text, so that it can be searched, read aloud, and stays small.

use std::fmt::Write as _;
use vt100::{Cell, Color, Screen};

/// Size of a cell, in the units of the picture.
const CELL: (f32, f32) = (8.4, 18.0);
/// Room around the text.
const MARGIN: f32 = 14.0;
const BACKGROUND: &str = "#0d1117";
const FOREGROUND: &str = "#e6edf3";
/// The sixteen colours that programs name by number.
const PALETTE: [&str; 16] = [
    "#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4", "#6e7681", "#ffa198",
    "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff",
];

/// What a run of cells has in common.
#[derive(PartialEq)]
struct Look {
    color: &'static str,
    bold: bool,
    dim: bool,
}

/// Draws what a screen shows, without the empty lines at its end. `title` is read by those who cannot see it.
#[must_use]
pub fn svg(screen: &Screen, title: &str) -> String {
    let columns = screen.size().1.get();
    let lines: Vec<String> = screen.rows(0, columns).collect();
    let shown = lines
        .iter()
        .rposition(|line| !line.trim().is_empty())
        .map_or(0, |last| last + 1);
    let (width, height) = (
        f32::from(columns) * CELL.0 + 2.0 * MARGIN,
        f32::from(u16::try_from(shown).unwrap_or(u16::MAX)) * CELL.1 + 2.0 * MARGIN,
    );
    let mut picture = String::new();
    let _ = write!(
        picture,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n<g font-family=\"ui-monospace, Menlo, Consolas, \
         'DejaVu Sans Mono', monospace\" font-size=\"14\" xml:space=\"preserve\">\n",
        escaped(title)
    );
    for row in 0..u16::try_from(shown).unwrap_or(u16::MAX) {
        for (column, cells, look, text) in runs(screen, row, columns) {
            let _ = write!(
                picture,
                "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" fill=\"{}\"",
                MARGIN + f32::from(column) * CELL.0,
                // Letters stand on a line that is three quarters down their cell.
                MARGIN + (f32::from(row) + 0.75) * CELL.1,
                f32::from(cells) * CELL.0,
                look.color
            );
            if look.bold {
                picture.push_str(" font-weight=\"bold\"");
            }
            if look.dim {
                picture.push_str(" opacity=\"0.6\"");
            }
            let _ = writeln!(picture, ">{}</text>", escaped(&text));
        }
    }
    picture.push_str("</g>\n</svg>\n");
    picture
}

/// Pieces of a line that look the same: the column they begin at, how many cells they take, and their text. Blank ends are
/// left out.
fn runs(screen: &Screen, row: u16, columns: u16) -> Vec<(u16, u16, Look, String)> {
    let mut runs: Vec<(u16, u16, Look, String)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.is_wide_continuation() {
            if let Some((_, cells, ..)) = runs.last_mut() {
                *cells += 1;
            }
            continue;
        }
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match runs.last_mut() {
            Some((_, cells, look, run)) if *look == look_of(cell) => {
                *cells += 1;
                run.push_str(text);
            }
            _ => runs.push((column, 1, look_of(cell), text.to_owned())),
        }
    }
    for (column, cells, _, run) in &mut runs {
        // Blanks are single bytes and single cells. Those at the ends show nothing, and not every viewer keeps them.
        let blanks = |text: &str| u16::try_from(run.len() - text.len()).unwrap_or_default();
        let (before, after) = (blanks(run.trim_start()), blanks(run.trim_end()));
        *column += before;
        *cells = cells.saturating_sub(before + after);
        *run = run.trim().to_owned();
    }
    runs.retain(|(.., run)| !run.is_empty());
    runs
}

fn look_of(cell: &Cell) -> Look {
    let color = match cell.fgcolor() {
        Color::Idx(index) => PALETTE.get(usize::from(index)).copied().unwrap_or(FOREGROUND),
        // Nothing here names a colour of its own.
        Color::Default | Color::Rgb(..) => FOREGROUND,
    };
    Look {
        color,
        bold: cell.bold(),
        dim: cell.dim(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU16;

    fn drawn(bytes: &[u8]) -> String {
        let size = |number| NonZeroU16::new(number).unwrap();
        let mut parser = vt100::Parser::new(size(10), size(40), 0);
        parser.process(bytes);
        svg(parser.screen(), "a <title>")
    }

    #[test]
    fn colours_and_weights_are_kept_and_nothing_is_taken_for_markup() {
        let picture = drawn(b"\x1b[32mfine\x1b[0m  \x1b[1m<b>\x1b[0m & \x1b[2mfaint\x1b[0m\r\nnext");
        for part in [
            "<title>a &lt;title&gt;</title>",
            "fill=\"#3fb950\">fine</text>",
            "font-weight=\"bold\">&lt;b&gt;</text>",
            "opacity=\"0.6\">faint</text>",
            ">next</text>",
        ] {
            assert!(picture.contains(part), "{part}\n{picture}");
        }
    }

    #[test]
    fn a_wide_letter_takes_two_cells_and_the_height_is_that_of_the_text() {
        let picture = drawn("中文 ab\r\n".as_bytes());
        let width = CELL.0 * 7.0;
        assert!(picture.contains(&format!("textLength=\"{width:.1}\"")), "{picture}");
        assert!(
            picture.contains(&format!("{:.0}\" role", CELL.1 + 2.0 * MARGIN)),
            "{picture}"
        );
    }
}
