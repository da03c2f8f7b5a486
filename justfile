# Etalon's commands. `just` alone shows this menu; `just run FILE [key=value or options]...` does the whole job.

set positional-arguments

# Homebrew's OpenCV on macOS; elsewhere .cargo/config.toml has the places.
brew := if os() == "macos" { `brew --prefix 2>/dev/null || true` } else { "" }
export OPENCV_LINK_PATHS := env("OPENCV_LINK_PATHS", if os() == "macos" { brew / "lib" } else { "/usr/lib" })
export OPENCV_INCLUDE_PATHS := env("OPENCV_INCLUDE_PATHS", if os() == "macos" { brew / "include/opencv4" } else { "/usr/include/opencv4,/usr/include/x86_64-linux-gnu/opencv4,/usr/include/aarch64-linux-gnu/opencv4" })
export DYLD_FALLBACK_LIBRARY_PATH := if os() == "macos" { brew / "opt/llvm/lib" } else { "" }

etalon := "cargo run --quiet --package etalon --"

[private]
default:
    @just --list --unsorted

# Check, train, evaluate, export and prove an experiment: just run experiments/cifar_cnn.yaml train.epochs=3
run *arguments:
    @{{etalon}} run "$@"

# Say everything that is wrong with experiment files, without data
check *arguments:
    @{{etalon}} check "$@"

# Set runs side by side
compare *arguments:
    @{{etalon}} compare "$@"

# Classify images or folders with a run or an .onnx of ours
predict *arguments:
    @{{etalon}} predict "$@"

# Any other command: just etalon data experiments/cifar_cnn.yaml
etalon *arguments:
    @{{etalon}} "$@"

# Run all tests, with what people run: the same profile, so that nothing is compiled twice
test *arguments:
    @./bootstrap.sh --tests
    cargo test --workspace --quiet "$@"

# Write docs/reference.md and docs/schema.json anew from the tables of the language
docs:
    @{{etalon}} schema > docs/schema.json
    @{{etalon}} schema --format markdown > docs/reference.md

# Format and lint, as the continuous integration does
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --quiet -- -D warnings
    @if test -d "$(rustc --print target-libdir --target aarch64-unknown-linux-gnu)"; then \
        cargo clippy --package kernels --target aarch64-unknown-linux-gnu --quiet -- -D warnings; \
    else echo "lint: kernels for NEON are not looked at: rustup target add aarch64-unknown-linux-gnu"; fi

# Install what `just bench` measures beside Etalon into .tools/bench: seven gigabytes, and a Rust program of ten minutes
bench-setup:
    @test -x .tools/bench/bin/python || python3 -m venv .tools/bench
    .tools/bench/bin/python -m pip install -q --disable-pip-version-check -r benches/requirements.txt
    cargo build --release --manifest-path benches/rust_peers/Cargo.toml

# Speed beside Keras, PyTorch and others, in turns, as ratios: just bench [--quick] [LINE...]; `--list` names the lines
bench *arguments:
    #!/usr/bin/env bash
    set -euo pipefail
    if [ "$*" = --list ]; then exec python3 benches/workloads.py; fi
    [ -x .tools/bench/bin/python ] || just bench-setup
    cargo build --quiet --release --package etalon
    exec .tools/bench/bin/python benches/bench.py "$@"

# Seconds and memory of comparing ten thousand runs
bench-compare *arguments:
    @cargo build --quiet --package etalon
    @python3 benches/compare_runs.py "${CARGO_TARGET_DIR:-target}/debug/etalon" "$@"

# Licences, bans and sources of all dependencies (needs cargo-deny)
deny:
    cargo fetch --quiet
    cargo deny --offline check licenses bans sources

# The fully optimized target/release/etalon; worth its ten minutes for long trainings
build:
    cargo build --release --package etalon

# Install etalon (release) into cargo's bin folder
install:
    cargo install --path crates/etalon --locked
