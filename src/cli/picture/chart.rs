//! Pieces of SVG: bars, lanes, curves, the Gantt of a job. Numbers and escaped text, and nothing else.

use std::fmt::Write as _;

use super::escape::{count, escaped, time};
use super::figures::Loaded;
use super::lanes::{Axis, Curve, TimeLane};

/// Units of a picture's width: the text beside the lanes, and the lanes.
const LABEL: usize = 150;
const WIDTH: usize = 900;

const LANE: usize = 18;
const CURVE: usize = 40;

/// A share of a bar: what, how much, and its class in the style.
pub(super) struct BarPart {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) words: String,
    pub(super) class: &'static str,
}

/// One bar whose parts sum up, and a legend with the figures.
pub(super) fn bar(label: &str, parts: &[BarPart]) -> String {
    let all: f64 = parts.iter().map(|part| part.value).sum();
    let mut out = format!(
        "<svg class=bar viewBox=\"0 0 1000 30\" preserveAspectRatio=\"none\" role=img aria-label=\"{}\">",
        escaped(label)
    );
    let mut x = 0.0;
    for part in parts.iter().filter(|part| part.value > 0.0) {
        let width = part.value / all.max(1e-9) * 1000.0;
        let _ = write!(
            out,
            "<rect class={} x=\"{x:.1}\" width=\"{:.1}\" height=\"30\"><title>{} {}</title></rect>",
            part.class,
            width.max(1.0),
            escaped(&part.name),
            escaped(&part.words)
        );
        x += width;
    }
    out.push_str("</svg><ul class=legend>");
    for part in parts.iter().filter(|part| part.value > 0.0) {
        let _ = write!(
            out,
            "<li><i class={}></i>{} <b>{}</b></li>",
            part.class,
            escaped(&part.name),
            escaped(&part.words)
        );
    }
    out.push_str("</ul>");
    out
}

/// Lanes and curves on one axis, with what happened as marks.
pub(super) fn timeline(load: &Loaded, axis: &Axis, lanes: &[TimeLane], curves: &[Curve]) -> String {
    let height = 34 + lanes.len() * (LANE + 4) + curves.len() * (CURVE + 10) + 22;
    let scale = (WIDTH - LABEL) as f64 / axis.columns as f64;
    let mut out = format!(
        "<svg class=lanes viewBox=\"0 0 {WIDTH} {height}\" role=img aria-label=\"what each loop and each connection \
         did, and when\">"
    );
    heads(&mut out, load, axis, scale, height);
    let mut y = 34;
    for lane in lanes {
        let _ = write!(out, "<text x=0 y={}>{}</text>", y + 13, escaped(&lane.name));
        // Columns are units of a picture of their own, which is stretched.
        let _ = write!(
            out,
            "<svg x={LABEL} y={y} width={} height={LANE} viewBox=\"0 0 {} 16\" preserveAspectRatio=\"none\">",
            WIDTH - LABEL,
            axis.columns
        );
        for stretch in &axis.stretches {
            let _ = write!(out, "<path class=bg d=\"M{0} 0h{1}v16h-{1}z\"/>", stretch.from, stretch.columns);
        }
        for (n, (name, class)) in lane.states.iter().enumerate() {
            let path = lane_path(&lane.columns, n);
            if !path.is_empty() {
                let words = time(lane.seconds[n]);
                let _ = write!(out, "<path class={class} d=\"{path}\"><title>{name}: {words}</title></path>");
            }
        }
        out.push_str("</svg>");
        y += LANE + 4;
    }
    y += 6;
    for curve in curves {
        let _ = write!(
            out,
            "<text x=0 y={}>{}</text><text class=small x=0 y={}>up to {}</text>",
            y + 14,
            curve.name,
            y + 28,
            escaped(&curve.top)
        );
        let _ = write!(
            out,
            "<svg x={LABEL} y={y} width={} height={CURVE} viewBox=\"0 0 {} 100\" preserveAspectRatio=\"none\"><path \
             class=area d=\"{}\"/></svg>",
            WIDTH - LABEL,
            axis.columns,
            curve_path(&curve.columns)
        );
        y += CURVE + 10;
    }
    out.push_str("</svg>");
    out
}

/// Units of a letter's width, at most.
const LETTER: f64 = 6.2;

/// When each attempt began, how long it took, and what happened in it.
fn heads(out: &mut String, load: &Loaded, axis: &Axis, scale: f64, height: usize) {
    const MARKS: usize = 60;
    let mut before = None;
    for stretch in &axis.stretches {
        let attempt = &load.attempts[stretch.attempt];
        let x = LABEL as f64 + stretch.from as f64 * scale;
        let end = x + stretch.columns as f64 * scale;
        let later =
            before.zip(attempt.began_at()).map_or_else(String::new, |(before, at): (jiff::Timestamp, _)| {
                format!(", {} later", time(at.duration_since(before).as_secs_f64().max(0.0)))
            });
        before = attempt.began_at();
        let words = if axis.stretches.len() > 1 {
            format!("attempt {}{later}", attempt.number)
        } else {
            "0 s".to_owned()
        };
        // What has no room is said where it is pointed at.
        let has_room = |words: &str| words.len() as f64 * LETTER < end - x;
        let shown = if has_room(&words) { words.clone() } else { attempt.number.to_string() };
        let _ = write!(out, "<text class=small x={x:.0} y=12>{shown}<title>{words}</title></text>");
        if has_room("1000 min") {
            let words = time(stretch.seconds);
            let _ =
                write!(out, "<text class=small text-anchor=end x={end:.0} y={}>{words}</text>", height - 6);
        }
        let mut last = f64::MIN;
        for tick in attempt.ticks.iter().take(MARKS) {
            let at = x + (tick.at / stretch.seconds).clamp(0.0, 1.0) * (end - x);
            if at - last < 2.0 {
                continue;
            }
            last = at;
            let _ = write!(
                out,
                "<path class=tick d=\"M{at:.1} 18l4 12h-8z\"><title>{} {}</title></path>",
                time(tick.at),
                escaped(&tick.words)
            );
        }
    }
}

/// What a state takes of each column, on top of those before it; equal columns are one piece.
fn lane_path(columns: &[[f32; 4]], state: usize) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "steps of a picture, 0 to 16"
    )]
    let steps = |share: f32| (share.clamp(0.0, 1.0) * 16.0).round() as u8;
    let piece = |column: &[f32; 4]| {
        let below: f32 = column[..state].iter().sum();
        let (from, to) = (steps(below), steps(below + column[state]));
        (16 - to, to - from)
    };
    let mut out = String::new();
    let mut n = 0;
    while n < columns.len() {
        let (y, height) = piece(&columns[n]);
        let alike = columns[n..].iter().take_while(|column| piece(column) == (y, height)).count();
        if height > 0 {
            let _ = write!(out, "M{n} {y}h{alike}v{height}h-{alike}z");
        }
        n += alike;
    }
    out
}

fn curve_path(columns: &[Option<f32>]) -> String {
    let mut out = String::new();
    let mut is_open = false;
    for (n, value) in columns.iter().enumerate() {
        match (value, is_open) {
            (Some(value), open) => {
                let _ = write!(out, "{}{n} {:.0}", if open { "L" } else { "M" }, 100.0 - value * 98.0);
                if !open {
                    // From the base line up.
                    out.truncate(out.rfind('M').unwrap_or(0));
                    let _ = write!(out, "M{n} 100L{n} {:.0}", 100.0 - value * 98.0);
                }
                is_open = true;
            }
            (None, true) => {
                let _ = write!(out, "L{} 100z", n - 1);
                is_open = false;
            }
            (None, false) => {}
        }
    }
    if is_open {
        let _ = write!(out, "L{} 100z", columns.len() - 1);
    }
    out
}

/// The loads of a job on one axis, each leading to what is said of it.
pub(super) fn gantt(loads: &[Loaded], shown: usize) -> String {
    const ROW: usize = 16;
    let began = |load: &Loaded| load.attempts.iter().filter_map(super::figures::Attempt::began_at).min();
    let Some(first) = loads.iter().filter_map(began).min() else { return String::new() };
    let place = |at: jiff::Timestamp| at.duration_since(first).as_secs_f64().max(0.0);
    let ends = loads.iter().flat_map(|load| &load.attempts);
    let all = ends.filter_map(|attempt| Some(place(attempt.began_at()?) + attempt.seconds()));
    let all = all.fold(0.001_f64, f64::max);
    let height = loads.len().min(shown) * ROW + 24;
    let mut out = format!(
        "<svg class=lanes viewBox=\"0 0 {WIDTH} {height}\" role=img aria-label=\"the loads and their times\">"
    );
    let width = (WIDTH - LABEL - 60) as f64;
    // Of many the end of the picture is out of sight.
    let _ = write!(out, "<text class=small text-anchor=end x={WIDTH} y=12>0 s to {}</text>", time(all));
    for (n, load) in loads.iter().take(shown).enumerate() {
        let y = n * ROW;
        let name = load.name.as_deref().unwrap_or("load");
        let short = name.rsplit('/').next().unwrap_or(name);
        let _ = write!(out, "<a href=\"#l{n}\"><text x=0 y={}>{}</text></a>", y + 12, escaped(short));
        for attempt in &load.attempts {
            let Some(at) = attempt.began_at() else { continue };
            let class = match attempt.end.as_ref().map(|end| end.code) {
                Some(0) => "ok",
                Some(3) => "warn",
                _ => "bad",
            };
            let (x, wide) = (place(at) / all * width, (attempt.seconds() / all * width).max(1.5));
            let _ = write!(
                out,
                "<a href=\"#l{n}\"><rect class={class} x=\"{:.1}\" y={} width=\"{wide:.1}\" height={}><title>{} {}</title></rect></a>",
                LABEL as f64 + x,
                y + 2,
                ROW - 4,
                escaped(name),
                time(attempt.seconds())
            );
        }
    }
    let _ = write!(
        out,
        "<text class=small x={LABEL} y={0}>0 s</text><text class=small text-anchor=end x={WIDTH} y={0}>{1}</text></svg>",
        height - 6,
        time(all)
    );
    if loads.len() > shown {
        let _ = write!(out, "<p>and {} more</p>", count((loads.len() - shown) as u64));
    }
    out
}
