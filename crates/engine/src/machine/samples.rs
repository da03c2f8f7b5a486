//! Values of a shard as runs of numbers, around the borders where there are some.

use kernels::View;

/// Calls `each` with the starts of runs that lie alike in values of `views`, and their length: all numbers at once where
/// no value has a border, else row by row. The views have equal height, width and channels.
pub(crate) fn runs<const COUNT: usize>(views: [&View; COUNT], n: usize, mut each: impl FnMut([usize; COUNT], usize)) {
    let first = views[0];
    if views.iter().all(|view| view.is_plain()) {
        return each([0; COUNT], first.len(n));
    }
    for image in 0..n {
        for y in 0..first.height {
            each(views.map(|view| view.at(image, y, 0)), first.width * first.channels);
        }
    }
}

/// Copies all numbers of `n` samples, in order, between layouts that may differ in their axes.
pub(crate) fn copy(from: &View, to: &View, n: usize, x: &[f32], y: &mut [f32]) {
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

/// Copies the first channels of every pixel; channels that `from` does not have become zero.
pub(crate) fn change_channels(from: &View, to: &View, n: usize, x: &[f32], y: &mut [f32]) {
    let shared = from.channels.min(to.channels);
    for (source, target) in from.rows(n).zip(to.rows(n)) {
        let pixels = x[source].chunks_exact(from.channels).zip(y[target].chunks_exact_mut(to.channels));
        for (x, y) in pixels {
            y[..shared].copy_from_slice(&x[..shared]);
            y[shared..].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_go_around_borders_and_over_other_axes() {
        let (flat, image) = (View::vectors(6), View::bordered(3, 2, 1, [1, 0, 0, 1]));
        let x: Vec<f32> = (1..=12).map(|i| i as f32).collect();
        let (mut there, mut back) = (vec![0.0; image.len(2)], vec![0.0; 12]);
        copy(&flat, &image, 2, &x, &mut there);
        assert_eq!(there[..12], [0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 5.0, 6.0, 0.0]);
        copy(&image, &flat, 2, &there, &mut back);
        assert_eq!(back, x);
    }

    #[test]
    fn channels_are_cut_or_filled_with_zeros() {
        let (two, three) = (View::plain(1, 2, 2), View::plain(1, 2, 3));
        let mut wider = [9.0; 6];
        change_channels(&two, &three, 1, &[1.0, 2.0, 3.0, 4.0], &mut wider);
        assert_eq!(wider, [1.0, 2.0, 0.0, 3.0, 4.0, 0.0]);
        let mut narrower = [9.0; 4];
        change_channels(&three, &two, 1, &wider, &mut narrower);
        assert_eq!(narrower, [1.0, 2.0, 3.0, 4.0]);
    }
}
