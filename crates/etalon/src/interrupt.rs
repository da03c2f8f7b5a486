//! Ctrl-C: the first asks the work to stop at the next safe place, the second ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Exit code of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// From now on the end of standard input asks the work to stop, too: a process that runs others holds the other end, so
/// that they stop when it is killed.
pub fn stop_at_end_of_input() {
    std::thread::spawn(|| {
        // Whatever is written there means nothing; an error is an end.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        ASKED.store(true, Ordering::SeqCst);
    });
}

/// Whether the work has been asked to stop.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// From now on Ctrl-C sets the flag that is returned.
pub fn listen() -> Result<&'static AtomicBool, Failure> {
    let on_signal = || {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
        eprintln!(
            "\nstopping after this step; press Ctrl-C again to stop at once and lose the work since the last checkpoint"
        );
    };
    ctrlc::set_handler(on_signal).map_err(|e| Failure::Work(format!("Ctrl-C cannot be listened for: {e}")))?;
    Ok(&ASKED)
}
