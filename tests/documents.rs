//! Pages that show a terminal are kept true: their files are written, their commands are run in order in an empty folder,
//! and what the program says must be what the page says.
//!
//! A block ` ```yaml NAME ` is a file; a block ` ```console ` holds commands behind `$ ` with their output. Times, rates and
//! the moments in names of runs may differ. `ETALON_BLESS=1 cargo test --test documents` writes the output anew; read the
//! difference before you commit it.

use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

/// Pages with commands in them.
const PAGES: [&str; 2] = ["docs/a-day.md", "docs/from-keras.md"];

/// Bits depend on the instruction set, so pages show that which nearly every processor of the kind has.
const INSTRUCTION_SET: &str = "avx2";

#[test]
fn pages_say_what_the_program_says() {
    let bless = std::env::var_os("ETALON_BLESS").is_some();
    for page in PAGES {
        let path = root().join(page);
        let text = std::fs::read_to_string(&path).expect(page);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (renewed, different) = play(&text, folder.path());
        if bless {
            std::fs::write(&path, renewed).expect(page);
        } else {
            assert!(different.is_empty(), "{page} does not say what the program says:\n{}", different.join("\n"));
        }
    }
}

/// The page with the output of now, and what differs in more than times.
fn play(page: &str, folder: &Path) -> (String, Vec<String>) {
    let (mut renewed, mut different) = (String::new(), Vec::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        renewed += &format!("{line}\n");
        let Some(kind) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let written = format!("{}\n", body.join("\n"));
        let mut text = written.clone();
        if let Some(name) = kind.strip_prefix("yaml ") {
            std::fs::write(folder.join(name), &written).expect("the file can be written");
        } else if kind == "console" {
            text = console(&body, folder);
            if comparable(&text) != comparable(&written) {
                different.push(format!("--- the page\n{written}--- the program\n{text}"));
            }
        }
        renewed += &format!("{text}```\n");
    }
    (renewed, different)
}

/// The commands of a block with what they say now.
fn console(body: &[&str], folder: &Path) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < body.len() {
        let command = body[at].strip_prefix("$ ").unwrap_or_else(|| panic!("no command: {}", body[at]));
        let shown: Vec<&str> = body[at + 1..].iter().take_while(|line| !line.starts_with("$ ")).copied().collect();
        text += &format!("$ {command}\n{}", shortened(&shell(command, folder), &shown));
        at += 1 + shown.len();
    }
    text
}

/// What both streams of a command say, as a terminal shows them.
fn shell(command: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_etalon")).parent().expect("the program lies in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {command}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", program.display()))
        .env("ETALON_INSTRUCTION_SET", if cfg!(target_arch = "x86_64") { INSTRUCTION_SET } else { "" })
        .env_remove("ETALON_DATA_DIR")
        .env_remove("RUST_LOG")
        .output()
        .expect("a shell");
    let said = String::from_utf8(output.stdout).expect("the program speaks UTF-8");
    said.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A line `…` of the page stands for all lines between as many at the beginning and at the end as the page shows.
fn shortened(said: &str, shown: &[&str]) -> String {
    let Some(before) = shown.iter().position(|line| *line == "…") else { return said.to_string() };
    let after = shown.len() - before - 1;
    let lines: Vec<&str> = said.lines().collect();
    if lines.len() <= before + after {
        return said.to_string();
    }
    let kept = [&lines[..before], &["…"], &lines[lines.len() - after..]].concat();
    kept.into_iter().map(|line| format!("{line}\n")).collect()
}

/// A table without what stands below `seconds` and `images/s`.
fn without_measured_times(text: &str) -> String {
    let mut columns: Vec<(usize, usize)> = Vec::new();
    let mut line_of = |line: &str| {
        let cells: Vec<char> = line.chars().collect();
        if line.starts_with('#') {
            let of = |name: &str| line.find(name).map(|at| line[..at].chars().count()).map(|at| (at, at + name.len()));
            columns = ["seconds", "images/s"].into_iter().filter_map(of).collect();
            return line.to_string();
        }
        if line.is_empty() {
            columns.clear();
        }
        let is_time = |at: usize| columns.iter().any(|(from, to)| (*from..*to).contains(&at));
        let kept = cells.iter().enumerate().filter(|(at, _)| !is_time(*at));
        kept.map(|(_, cell)| *cell).collect::<String>().trim_end().to_string()
    };
    text.lines().map(|line| line_of(line) + "\n").collect()
}

/// A text without what two runs may differ in: moments, times, rates, the number of threads, ONNX Runtime's last digits,
/// space between columns; and, where the page's instruction set is not to be had, without digits.
fn comparable(text: &str) -> String {
    let varying = [
        (r"\d{8}T\d{6}Z-\d+-[0-9a-f]{8}", "MOMENT"),
        (r"\d+m\d\ds|\d+h\d\dm", "TIME"),
        (r"\d+(\.\d+)? ?(ms|s|min|h)\b", "TIME"),
        (r"[\d,]+/s", "RATE"),
        (r"on \d+ threads?", "THREADS"),
        // ONNX Runtime chooses its instructions by itself; how large the difference is stays.
        (r"largest difference [\d.]+(e-\d+)", "largest difference DIGITS$1"),
        (r"─+|-{3,}", "-"),
        (r"[ \t]+", " "),
    ];
    let exact = cfg!(target_arch = "x86_64");
    let digits = (r"[\d.,]+(e-?\d+)?|avx2|portable|neon", "#");
    varying.into_iter().chain((!exact).then_some(digits)).fold(without_measured_times(text), |text, (pattern, word)| {
        Regex::new(pattern).expect("the pattern is constant").replace_all(&text, word).into_owned()
    })
}
