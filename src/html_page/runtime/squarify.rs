//! Divides an area among sizes into rectangles that are as square as possible (Bruls, Huizing and van Wijk, Squarified
//! Treemaps, 2000).

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Area {
    /// Returns the area without a strip at its top and an edge all around; empty if there is no room.
    pub fn inset(self, top: f64, edge: f64) -> Self {
        Self {
            x: self.x + edge,
            y: self.y + top + edge,
            width: (self.width - 2.0 * edge).max(0.0),
            height: (self.height - top - 2.0 * edge).max(0.0),
        }
    }
}

/// Divides an area. Sizes are best given the largest first; the rectangles come in the same order. A size of 0 gets an
/// empty rectangle.
pub(super) fn squarify(sizes: &[u64], area: Area) -> Vec<Area> {
    let total: f64 = sizes.iter().map(|size| *size as f64).sum();
    let scale = if total > 0.0 { area.width * area.height / total } else { 0.0 };
    let mut rest = area;
    let mut all = Vec::with_capacity(sizes.len());
    while all.len() < sizes.len() {
        let left = &sizes[all.len()..];
        let side = rest.width.min(rest.height);
        let (count, sum) = row(left, scale, side);
        let thickness = if side > 0.0 { sum / side } else { 0.0 };
        let upright = rest.width >= rest.height;
        let mut at = if upright { rest.y } else { rest.x };
        for size in &left[..count] {
            let length = if thickness > 0.0 { *size as f64 * scale / thickness } else { 0.0 };
            all.push(if upright {
                Area { x: rest.x, y: at, width: thickness, height: length }
            } else {
                Area { x: at, y: rest.y, width: length, height: thickness }
            });
            at += length;
        }
        if upright {
            (rest.x, rest.width) = (rest.x + thickness, (rest.width - thickness).max(0.0));
        } else {
            (rest.y, rest.height) = (rest.y + thickness, (rest.height - thickness).max(0.0));
        }
    }
    all
}

/// Returns how many of the sizes make the row with the squarest rectangles, at least one, and their area.
fn row(sizes: &[u64], scale: f64, side: f64) -> (usize, f64) {
    let (mut sum, mut worst) = (0.0, f64::INFINITY);
    for (count, size) in sizes.iter().enumerate() {
        let next = sum + *size as f64 * scale;
        // The first is the largest, and this one the smallest.
        let (largest, smallest) = (sizes[0] as f64 * scale, *size as f64 * scale);
        let square = side * side;
        let ratio = (square * largest / (next * next)).max(next * next / (square * smallest));
        if count > 0 && (ratio > worst || ratio.is_nan()) {
            return (count, sum);
        }
        (sum, worst) = (next, ratio);
    }
    (sizes.len(), sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: Area = Area { x: 10.0, y: 20.0, width: 600.0, height: 400.0 };

    proptest! {
        #[test]
        fn areas_are_as_the_sizes_and_within_the_whole(mut sizes in prop::collection::vec(0_u64..1_000_000_000_000, 1..200)) {
            sizes.sort_unstable_by(|one, other| other.cmp(one));
            let all = squarify(&sizes, WHOLE);
            prop_assert_eq!(all.len(), sizes.len());
            let total: f64 = sizes.iter().map(|size| *size as f64).sum();
            for (size, area) in sizes.iter().zip(&all) {
                let expected = if total > 0.0 { *size as f64 / total * 240_000.0 } else { 0.0 };
                prop_assert!((area.width * area.height - expected).abs() < 1.0, "{size} {area:?}");
                prop_assert!(area.x >= 9.99 && area.x + area.width <= 610.01, "{area:?}");
                prop_assert!(area.y >= 19.99 && area.y + area.height <= 420.01, "{area:?}");
            }
        }
    }

    #[test]
    fn the_example_of_the_paper_comes_out() {
        let all = squarify(&[6, 6, 4, 3, 2, 2, 1], Area { x: 0.0, y: 0.0, width: 6.0, height: 4.0 });
        assert_eq!(all[0], Area { x: 0.0, y: 0.0, width: 3.0, height: 2.0 });
        assert_eq!(all[1], Area { x: 0.0, y: 2.0, width: 3.0, height: 2.0 });
        assert!(squarify(&[], WHOLE).is_empty());
        assert!(squarify(&[0, 0], WHOLE)[1].width < 1e-9);
    }
}
