//! Tables and sheets for people. A table that is wider than the terminal has its widest columns cut, never its lines
//! broken; where there is no terminal, nothing is cut.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output::{Output, Style, plain};

const GAP: usize = 2;
/// A cut column keeps so much, so that two keys still differ.
const COLUMN_MIN: usize = 8;

/// One value of a table.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

/// Lines of cells under headings.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// Names and values, one pair a line.
#[derive(Default)]
pub(crate) struct Sheet {
    rows: Vec<(&'static str, Cell)>,
}

impl Cell {
    pub(crate) fn new(text: impl ToString) -> Self {
        Self::styled(text, Style::Plain)
    }

    pub(crate) fn styled(text: impl ToString, style: Style) -> Self {
        Self { text: plain(&text.to_string()).replace('\n', " "), style }
    }

    /// What may be missing.
    pub(crate) fn maybe(value: Option<impl ToString>) -> Self {
        Self::new(value.map_or_else(|| "-".to_owned(), |value| value.to_string()))
    }
}

impl Table {
    pub(crate) fn new(headings: impl Into<Vec<&'static str>>) -> Self {
        Self { headings: headings.into(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// The whole table, a line end after each line.
    pub(crate) fn render(&self, output: &Output) -> String {
        let heading: Vec<Cell> = self.headings.iter().map(|text| Cell::styled(text, Style::Heading)).collect();
        let lines: Vec<&Vec<Cell>> = std::iter::once(&heading).chain(&self.rows).collect();
        let widths = fit(natural_widths(&lines, self.headings.len()), output.columns);
        lines.iter().map(|cells| line(cells, &widths, output)).collect()
    }
}

impl Sheet {
    pub(crate) fn row(&mut self, name: &'static str, value: impl ToString) -> &mut Self {
        self.cell(name, Cell::new(value))
    }

    pub(crate) fn cell(&mut self, name: &'static str, cell: Cell) -> &mut Self {
        self.rows.push((name, cell));
        self
    }

    /// A line only for what is there.
    pub(crate) fn maybe(&mut self, name: &'static str, value: Option<impl ToString>) -> &mut Self {
        if let Some(value) = value {
            self.row(name, value);
        }
        self
    }

    /// The whole sheet, a line end after each line. Values are never cut: they are what was asked for.
    pub(crate) fn render(&self, output: &Output) -> String {
        let width = self.rows.iter().map(|(name, _)| name.width()).max().unwrap_or_default();
        let pair = |(name, cell): &(&str, Cell)| {
            format!(
                "{}{}  {}\n",
                output.paint(name, Style::Heading),
                pad(name, width),
                output.paint(&cell.text, cell.style)
            )
        };
        self.rows.iter().map(pair).collect()
    }
}

fn natural_widths(lines: &[&Vec<Cell>], columns: usize) -> Vec<usize> {
    let width = |at: usize| lines.iter().filter_map(|cells| cells.get(at)).map(|cell| cell.text.width()).max();
    (0..columns).map(|at| width(at).unwrap_or_default()).collect()
}

/// Takes from the widest column until the line fits, or until every column is as narrow as it may be.
fn fit(mut widths: Vec<usize>, columns: Option<usize>) -> Vec<usize> {
    let Some(columns) = columns else { return widths };
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    while total(&widths) > columns {
        match widths.iter_mut().max() {
            Some(widest) if *widest > COLUMN_MIN => *widest -= 1,
            _ => break,
        }
    }
    widths
}

fn line(cells: &[Cell], widths: &[usize], output: &Output) -> String {
    let mut line = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let text = cut(&cell.text, *width);
        line.push_str(&output.paint(&text, cell.style));
        if at + 1 < cells.len() {
            line.push_str(&pad(&text, width + GAP));
        }
    }
    format!("{}\n", line.trim_end())
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.width() + c.width().unwrap_or(0) + 1 > width {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

fn pad(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.width()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputFormat;

    fn check(columns: Option<usize>) -> String {
        let mut table = Table::new(["ID", "NAME", "STATE"]);
        table.row([Cell::new("MABCDEFGHIJKLMNOPQRSTUVWXYZ"), Cell::new("échó 字\u{1b}[2J"), Cell::new("ready")]);
        table.row([Cell::new("V"), Cell::maybe(None::<u32>), Cell::styled("held\nnow", Style::Bad)]);
        let mut output = Output::new(OutputFormat::Text);
        output.columns = columns;
        table.render(&output)
    }

    #[test]
    fn tables_fit_their_terminal() {
        for columns in [None, Some(80), Some(40), Some(30), Some(10)] {
            insta::assert_snapshot!(format!("table_{}", columns.unwrap_or_default()), check(columns));
        }
    }
}
