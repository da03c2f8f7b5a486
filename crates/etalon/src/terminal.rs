//! What the terminal can show.

use std::io::IsTerminal;

/// Whether standard error is a terminal, so that bars may be drawn.
pub fn is_interactive() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Whether faults may be coloured on standard error (<https://no-color.org>).
pub fn colour_on_stderr() -> bool {
    is_interactive() && no_color_unset()
}

fn no_color_unset() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints results. A reader that went away (`| head`) is no error.
pub fn print(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") });
}

/// Prints a notice on standard error.
pub fn notice(text: &str) {
    eprintln!("{text}");
}
