//! What is generated from the tables of the language, `docs/schema.json` and `docs/reference.md`, is what they say.
//!
//! `ETALON_BLESS=1 cargo test --test language` writes both anew, as `just docs` does.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

fn etalon(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_etalon")).current_dir(root()).args(arguments).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

#[test]
fn schema_and_reference_are_in_step_with_the_tables() {
    let bless = std::env::var_os("ETALON_BLESS").is_some();
    for (file, format) in [("docs/schema.json", "json"), ("docs/reference.md", "markdown")] {
        let found = etalon(&["schema", "--format", format]);
        if bless {
            std::fs::write(root().join(file), &found).unwrap();
        }
        let kept = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        assert!(kept == found, "{file} is not what the tables say: run `just docs` and read the difference");
    }
}

#[test]
fn the_schema_takes_our_experiments_and_refuses_wrong_keys_types_and_numbers() {
    let script = root().join("tests/support/validate.py");
    let wrong = ["other_tools_words", "out_of_range", "unknown_keys", "wrong_types", "steps", "momentum_for_adam"];
    let wrong = wrong.map(|name| format!("tests/faults/{name}.yaml"));
    let of_one_fault = [
        "a_color_for_one_channel",
        "a_number_in_words",
        "a_word_of_pytorch",
        "an_interval_of_more_than_all",
        "batch_of_zero",
        "betas_for_sgd",
        "dropout_of_everything",
        "half_an_epoch",
        "momentum_for_adam",
        "negative_learning_rate",
        "no_means_text",
        "opset_too_old",
        "share_above_one",
        "yes_for_a_boolean",
    ];
    let of_one_fault = of_one_fault.map(|name| format!("tests/wrong/{name}.yaml"));
    let output = Command::new("python3").current_dir(root()).arg(script).args(&wrong).args(&of_one_fault).output();
    let output = output.expect("python3 runs");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}
