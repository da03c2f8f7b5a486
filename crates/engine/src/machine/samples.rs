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
