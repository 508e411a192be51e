//! A drawing of speeds over generations: points, a line, and the noise as a band around it.

use super::html::Html;

/// A measured point.
pub(super) struct Point {
    /// The words below it: the generation, and the nightly.
    pub labels: [String; 2],
    /// The value, and its noise on each side.
    pub value: f64,
    pub noise: f64,
    /// True if the validation failed.
    pub failed: bool,
    /// A description for those who point at it.
    pub about: String,
}

impl Point {
    fn low(&self) -> f64 {
        self.value - self.noise
    }

    fn high(&self) -> f64 {
        self.value + self.noise
    }

    /// Returns true for a speed that can be drawn: records are files that anybody may have edited.
    fn fits(&self) -> bool {
        [self.low(), self.high()].iter().all(|value| value.abs() <= MOST)
    }
}

/// The size of the drawing, and the edges around the plot.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 48.0;
/// The least span of the axis, as a share of the greatest value, so that noise does not look like mountains.
const LEAST_SPAN: f64 = 0.1;
/// The least distance of two labels.
const APART: f64 = 44.0;
/// The greatest speed that is drawn.
const MOST: f64 = 1e9;
/// Steps between the lines of the axis.
const STEPS: f64 = 4.0;

/// Writes the drawing. Values that are no numbers are left out.
pub(super) fn chart(html: &mut Html, title: &str, points: &[Point]) {
    let points: Vec<&Point> = points.iter().filter(|point| point.fits()).collect();
    let (low, high) = span(&points);
    let step = nice((high - low) / STEPS);
    let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
    let x = |index: usize| {
        let share = if points.len() > 1 { index as f64 / (points.len() - 1) as f64 } else { 0.5 };
        // A margin within the plot keeps the first and the last label inside.
        LEFT + 24.0 + share * (WIDTH - LEFT - RIGHT - 48.0)
    };
    let y = |value: f64| TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM);
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    html.element("svg").class("chart").attribute("viewBox", view).attribute("role", "img").inside(|html| {
        html.element("title").text(title);
        let count = ((high - low) / step).round() as usize;
        for tick in (0..=count).map(|number| low + number as f64 * step) {
            let line = html.element("line").class("grid").number("x1", LEFT).number("x2", WIDTH - RIGHT);
            line.number("y1", y(tick)).number("y2", y(tick)).alone();
            label(html, "tick", "end", LEFT - 8.0, y(tick) + 4.0, &number(tick, step));
        }
        let place = |index: usize, value: f64| format!("{:.1},{:.1}", x(index), y(value));
        let upper = points.iter().enumerate().map(|(index, point)| place(index, point.high()));
        let lower = points.iter().enumerate().rev().map(|(index, point)| place(index, point.low()));
        let band: Vec<String> = upper.chain(lower).collect();
        html.element("polygon").class("band").attribute("points", band.join(" ")).alone();
        let line: Vec<String> = points.iter().enumerate().map(|(index, point)| place(index, point.value)).collect();
        html.element("polyline").class("speed").attribute("points", line.join(" ")).alone();
        let every = labels_apart(points.len(), x(1) - x(0));
        for (index, point) in points.iter().enumerate() {
            html.element("g").class(if point.failed { "point bad" } else { "point" }).inside(|html| {
                html.element("title").text(&point.about);
                let noise = html.element("line").class("noise").number("x1", x(index)).number("x2", x(index));
                noise.number("y1", y(point.low())).number("y2", y(point.high())).alone();
                html.element("circle").number("cx", x(index)).number("cy", y(point.value)).number("r", 4.5).alone();
                if point.failed {
                    label(html, "cross", "middle", x(index), y(point.value) + 4.0, "✗");
                }
            });
            if (points.len() - 1 - index).is_multiple_of(every) {
                label(html, "tick strong", "middle", x(index), HEIGHT - 27.0, &point.labels[0]);
                label(html, "tick", "middle", x(index), HEIGHT - 8.0, &point.labels[1]);
            }
        }
    });
}

fn label(html: &mut Html, class: &'static str, anchor: &'static str, x: f64, y: f64, text: &str) {
    html.element("text").class(class).attribute("text-anchor", anchor).number("x", x).number("y", y).text(text);
}

/// Returns the least and the greatest value with their noise, at least [`LEAST_SPAN`] apart.
fn span(points: &[&Point]) -> (f64, f64) {
    let low = points.iter().map(|point| point.low()).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.high()).fold(f64::NEG_INFINITY, f64::max);
    if !low.is_finite() || !high.is_finite() {
        return (0.0, 1.0);
    }
    let lacking = (high.abs().max(1e-6) * LEAST_SPAN - (high - low)).max(0.0);
    (low - lacking / 2.0, high + lacking / 2.0)
}

/// Returns the nearest step above that people count in.
fn nice(step: f64) -> f64 {
    let ten = 10_f64.powf(step.max(1e-9).log10().floor());
    [1.0, 2.0, 2.5, 5.0].map(|one| one * ten).into_iter().find(|one| *one >= step).unwrap_or(10.0 * ten)
}

/// Formats a number of the axis with the digits that its step needs.
fn number(value: f64, step: f64) -> String {
    let digits =
        if step >= 1.0 && step.fract() == 0.0 { 0 } else { (1.0 - step.log10().floor()).clamp(1.0, 6.0) as usize };
    let text = format!("{value:.digits$}");
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) { "0".to_owned() } else { text }
}

/// Returns which points are labelled: every one, or every second, and so on.
fn labels_apart(count: usize, distance: f64) -> usize {
    if count < 2 || distance <= 0.0 { 1 } else { (APART / distance).ceil().max(1.0) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: f64, noise: f64) -> Point {
        Point { labels: ["g1".to_owned(), "09-01".to_owned()], value, noise, failed: false, about: String::new() }
    }

    #[test]
    fn the_axis_has_round_numbers_and_does_not_make_mountains_of_noise() {
        assert_eq!(
            [0.3, 1.0, 2.1, 4.0, 7.0, 30.0].map(|step| nice(step).to_string()),
            ["0.5", "1", "2.5", "5", "10", "50"]
        );
        assert_eq!((number(52.5, 2.5), number(0.0, 0.5), number(20.0, 5.0)), ("52.5".into(), "0".into(), "20".into()));
        let (a, b) = (point(100.0, 0.1), point(100.2, 0.1));
        let (low, high) = span(&[&a, &b]);
        assert!(high - low > 9.9, "{low} {high}");
        assert_eq!(span(&[]), (0.0, 1.0));
    }

    #[test]
    fn no_value_breaks_the_drawing() {
        for values in [&[][..], &[0.0], &[f64::NAN, 1.0], &[f64::INFINITY], &[1e300, -1e300], &[1e-300], &[5.0; 300]] {
            let mut html = Html::default();
            chart(&mut html, "t", &values.iter().map(|value| point(*value, 0.5)).collect::<Vec<_>>());
            let text = html.finish();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{values:?}: {text}");
            assert!(text.len() < 200_000, "{values:?}");
        }
    }
}
