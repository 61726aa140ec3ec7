//! The plot: a bar for each way of each case, in times of the case's first way.

use crate::{Outcome, rounds::Finished};
use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 330.0;
const BAR: f64 = 14.0;
const GAP: f64 = 12.0;
const TOP: f64 = 46.0;
/// Room behind the longest bar for its figures.
const RIGHT: f64 = 150.0;
/// Beyond this a bar is cut: one slow way must not flatten the others.
const MOST: f64 = 2.0;

pub(crate) fn svg(results: &[Finished<'_>]) -> Outcome<String> {
    let mut bars = String::new();
    let mut y = TOP;
    for result in results {
        let first = result.ways[0].seconds();
        for (at, measured) in result.ways.iter().enumerate() {
            let seconds = measured.seconds();
            let length = (seconds / first).min(MOST) / MOST * (WIDTH - LEFT - RIGHT);
            let fill = match (measured.way.name.starts_with("dbload"), at) {
                (true, _) => "#2f6fb3",
                (false, 0) => "#8a8f98",
                (false, _) => "#c3c7cd",
            };
            if at == 0 {
                writeln!(
                    bars,
                    r#"<text x="6" y="{:.0}" font-weight="bold">{}</text>"#,
                    y + 11.0,
                    escape(result.case.name)
                )?;
            }
            let text = y + 11.0;
            writeln!(
                bars,
                r#"<text x="{:.0}" y="{text:.0}" text-anchor="end">{}</text><rect x="{LEFT}" y="{y:.0}" width="{length:.1}" height="{BAR}" fill="{fill}"/><text x="{:.1}" y="{text:.0}">{seconds:.3} s · {:.2}</text>"#,
                LEFT - 6.0,
                escape(&measured.way.name),
                LEFT + length + 5.0,
                seconds / first,
            )?;
            y += BAR + 2.0;
        }
        y += GAP;
    }
    Ok(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y:.0}" font-family="system-ui, sans-serif" font-size="11" fill="#1c1f23">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="6" y="18" font-size="14" font-weight="bold">Time of a load, in times of the first bar of its case (shorter is better)</text>
<text x="6" y="34" fill="#5b6068">medians; seconds and ratio behind the bar</text>
{bars}</svg>
"##
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
