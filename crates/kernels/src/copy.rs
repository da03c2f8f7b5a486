//! Moving images between views, with more or fewer channels.

use crate::View;

/// All numbers of `n` samples, in order, between layouts that may differ in their axes; the border of `y` is left alone.
///
/// # Panics
/// If the views hold different counts of numbers or a slice is too short for `n` samples.
pub fn copy(from: &View, to: &View, n: usize, x: &[f32], y: &mut [f32]) {
    assert_eq!(from.height * from.width * from.channels, to.height * to.width * to.channels);
    if from.is_plain() && to.is_plain() {
        return y[..to.len(n)].copy_from_slice(&x[..from.len(n)]);
    }
    let (mut sources, mut source) = (from.rows(n), 0..0);
    for mut target in to.rows(n) {
        while !target.is_empty() {
            if source.is_empty() {
                source = sources.next().expect("both have as many numbers");
            }
            let len = source.len().min(target.len());
            y[target.start..][..len].copy_from_slice(&x[source.start..][..len]);
            source.start += len;
            target.start += len;
        }
    }
}

/// Images with zeros behind the channels of x; the border of `y` is left alone.
///
/// # Panics
/// If the sizes do not suit or a slice is too short for `n` images.
pub fn pad_channels(from: &View, to: &View, n: usize, x: &[f32], y: &mut [f32]) {
    check(from, to, n, x, y);
    assert!(from.channels <= to.channels);
    for (from_row, to_row) in from.rows(n).zip(to.rows(n)) {
        let pixels = x[from_row].chunks_exact(from.channels).zip(y[to_row].chunks_exact_mut(to.channels));
        for (x, y) in pixels {
            let (first, rest) = y.split_at_mut(from.channels);
            first.copy_from_slice(x);
            rest.fill(0.0);
        }
    }
}

/// Images of the first channels of x; the border of `y` is left alone.
///
/// # Panics
/// If the sizes do not suit or a slice is too short for `n` images.
pub fn take_channels(from: &View, to: &View, n: usize, x: &[f32], y: &mut [f32]) {
    check(from, to, n, x, y);
    assert!(from.channels >= to.channels);
    for (from_row, to_row) in from.rows(n).zip(to.rows(n)) {
        let pixels = x[from_row].chunks_exact(from.channels).zip(y[to_row].chunks_exact_mut(to.channels));
        for (x, y) in pixels {
            y.copy_from_slice(&x[..to.channels]);
        }
    }
}

/// Zeros wherever no pixel lies.
///
/// # Panics
/// If the slice is too short for `n` images.
pub fn clear_border(view: &View, n: usize, y: &mut [f32]) {
    let y = &mut y[..view.len(n)];
    if view.is_plain() {
        return;
    }
    let mut cleared = 0;
    for row in view.rows(n) {
        y[cleared..row.start].fill(0.0);
        cleared = row.end;
    }
    y[cleared..].fill(0.0);
}

fn check(from: &View, to: &View, n: usize, x: &[f32], y: &[f32]) {
    assert_eq!((from.height, from.width), (to.height, to.width));
    assert!(x.len() >= from.len(n) && y.len() >= to.len(n));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::images;

    const BORDERS: [[usize; 4]; 4] = [[0; 4], [1; 4], [2, 0, 0, 3], [0, 1, 0, 0]];

    /// Every number of y: from x, or zero behind its channels, or as it was in the border.
    fn check(name: &str, from: &View, to: &View, x: &[f32], y: &[f32]) {
        let mut expected = vec![77.0; y.len()];
        for (image, row, column) in (0..2).flat_map(|i| (0..3).flat_map(move |r| (0..5).map(move |c| (i, r, c)))) {
            for channel in 0..to.channels {
                let value = if channel < from.channels { x[from.at(image, row, column) + channel] } else { 0.0 };
                expected[to.at(image, row, column) + channel] = value;
            }
        }
        assert_eq!(y, expected, "{name} from {from:?} to {to:?}");
    }

    #[test]
    fn pixels_and_channels_arrive() {
        for (a, b) in BORDERS.into_iter().flat_map(|a| BORDERS.map(move |b| (a, b))) {
            for (from, to) in [(3, 3), (3, 7), (7, 3)] {
                let (from, to) = (View::bordered(3, 5, from, a), View::bordered(3, 5, to, b));
                let x = images(1, &from, 2);
                let mut y = vec![77.0; to.len(2)];
                if from.channels == to.channels {
                    copy(&from, &to, 2, &x, &mut y);
                    check("copy", &from, &to, &x, &y);
                }
                if from.channels <= to.channels {
                    pad_channels(&from, &to, 2, &x, &mut y);
                    check("pad_channels", &from, &to, &x, &y);
                } else {
                    take_channels(&from, &to, 2, &x, &mut y);
                    check("take_channels", &from, &to, &x, &y);
                }
            }
        }
    }

    #[test]
    fn copies_go_over_other_axes() {
        let (flat, image) = (View::vectors(6), View::bordered(3, 2, 1, [1, 0, 0, 1]));
        let x: Vec<f32> = (1..=12).map(|i| i as f32).collect();
        let (mut there, mut back) = (vec![0.0; image.len(2)], vec![0.0; 12]);
        copy(&flat, &image, 2, &x, &mut there);
        assert_eq!(there[..12], [0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 5.0, 6.0, 0.0]);
        copy(&image, &flat, 2, &there, &mut back);
        assert_eq!(back, x);
    }

    #[test]
    fn a_border_is_cleared_and_nothing_else() {
        for border in BORDERS {
            let view = View::bordered(3, 5, 2, border);
            let mut y = images(1, &view, 2);
            let before = y.clone();
            clear_border(&view, 2, &mut y);
            let inside: Vec<usize> = view.rows(2).flatten().collect();
            for (at, value) in y.into_iter().enumerate() {
                assert_eq!(value, if inside.contains(&at) { before[at] } else { 0.0 });
            }
        }
    }
}
