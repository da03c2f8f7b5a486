//! OpenCV computes in the thread that calls it: the threads are ours.

use std::sync::Once;

/// Takes OpenCV's own threads away. To be called before its first work.
pub(crate) fn single_threaded_opencv() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| opencv::core::set_num_threads(1).expect("one thread can always be had"));
}
