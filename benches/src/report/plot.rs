//! The plot: for each promise, how much of it was used up, on a logarithmic scale. The line in the middle is the promise; what
//! ends left of it holds. Colours follow whether the reader's surroundings are light or dark.

use std::fmt::Write as _;

use super::number::{promise, result};
use crate::parts::Measured;
use crate::row::Row;

const WIDTH: f64 = 1200.0;
/// Where bars may be.
const LEFT: f64 = 320.0;
const RIGHT: f64 = 840.0;
const TOP: f64 = 84.0;
const ROW: f64 = 24.0;
const BAR: f64 = 12.0;
/// The scale goes from a hundredth of the promise to a hundred times as much; what is beyond ends at the edge.
const DECADES: f64 = 2.0;
const TICKS: [(f64, &str); 5] = [(0.01, "0.01"), (0.1, "0.1"), (1.0, "the promise"), (10.0, "10 ×"), (100.0, "100 ×")];

const STYLE: &str = "
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 } .quiet { fill: #6e7781 } .end { text-anchor: end } .mid { text-anchor: middle }
  .grid { stroke: #8b949e; stroke-opacity: .3 } .promise { stroke: #6e7781; stroke-width: 1.5 }
  .holds { fill: #2da44e } .broken { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #d0d7de } .quiet { fill: #8b949e } .promise { stroke: #8b949e } .holds { fill: #3fb950 } .broken { fill: #f85149 }
  }
";

pub(super) fn draw(parts: &[Measured]) -> String {
    let lines: f64 = parts.iter().map(|part| 1.0 + promises(part).count() as f64).sum();
    let bottom = TOP + lines * ROW;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" width=\"{WIDTH}\">\n<style>{STYLE}</style>",
        bottom + 20.0
    );
    text(&mut svg, "title", [16.0, 28.0], "cofferdam: what was promised, and what was measured");
    text(
        &mut svg,
        "quiet",
        [16.0, 48.0],
        "Each bar ends at the part of its promise that was used up: left of the line it holds.",
    );
    for (value, label) in TICKS {
        let class = if value == 1.0 { "promise" } else { "grid" };
        vertical(&mut svg, class, x(value), bottom);
        text(&mut svg, "quiet mid", [x(value), TOP - 10.0], label);
    }
    let mut y = TOP;
    for part in parts {
        text(&mut svg, "quiet", [16.0, y + 17.0], &heading(part));
        y += ROW;
        for row in promises(part) {
            bar(&mut svg, row, y);
            y += ROW;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn promises(part: &Measured) -> impl Iterator<Item = &Row> {
    part.rows.iter().filter(|row| row.promise.is_some())
}

fn heading(part: &Measured) -> String {
    match &part.failed {
        None => part.what.clone(),
        Some(_) => format!("{}: could not be measured", part.what),
    }
}

/// Where this part of a promise is. Nothing of it is the left edge, and what is no number breaks it as much as can be.
fn x(used: f64) -> f64 {
    let decades = if used.is_nan() { DECADES } else { used.log10().clamp(-DECADES, DECADES) };
    LEFT + (RIGHT - LEFT) * (decades + DECADES) / (2.0 * DECADES)
}

fn bar(svg: &mut String, row: &Row, y: f64) {
    let (from, to) = (LEFT, x(row.used().unwrap_or(f64::NAN)));
    // So that a promise of which nothing was used has a bar to be seen.
    let width = (to - from).max(2.0);
    let class = if row.holds() { "holds" } else { "broken" };
    let bar_y = y + (ROW - BAR) / 2.0;
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{from}\" y=\"{bar_y}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>"
    );
    let baseline = y + 16.0;
    text(svg, "end", [LEFT - 10.0, baseline], &row.what);
    let peer = row.peer.as_ref().map(|peer| format!(" · {}", peer.what)).unwrap_or_default();
    text(svg, "", [RIGHT + 12.0, baseline], &format!("{} {}{peer}", result(row), promise(row)));
}

fn vertical(svg: &mut String, class: &str, x: f64, bottom: f64) {
    let _ = writeln!(svg, "<line class=\"{class}\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{bottom}\"/>");
}

fn text(svg: &mut String, class: &str, [x, y]: [f64; 2], words: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(words));
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
