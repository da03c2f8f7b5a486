#!/usr/bin/env bash
# Brings what Etalon needs beside Rust, says what and why, and does nothing where it is there already.
#
#     ./bootstrap.sh            OpenCV's headers and libclang (for the `opencv` crate), `just`, the ONNX Runtime library
#     ./bootstrap.sh --tests    also Chromium, an MLflow server and TensorBoard's reader, which tests use, and the Python
#                               packages `onnx` and `jsonschema`, whose checkers tests run on
#                               the exported files and on the schema
#
# Downloads are pinned by version and SHA-256 and land in .tools/, which git ignores. What you have already is used:
# ORT_DYLIB_PATH names an ONNX Runtime library (1.24 or newer), OPENCV_INCLUDE_PATHS and its like another OpenCV.
set -euo pipefail
cd "$(dirname "$0")"

just_version=1.59.0
onnxruntime_version=1.32.0
onnx_version=1.23.2
jsonschema_version=4.26.0

say() { printf 'bootstrap: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

system=$(uname -s)-$(uname -m)
case $system in
Linux-x86_64)
    just_platform=manylinux_2_17_x86_64 just_sha=3ee47f26e3aff917107602d57a08ede20df447f78dc4f9ceb08e57a883c56eb9
    onnxruntime_platform=manylinux_2_28_x86_64 onnxruntime_sha=5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d ;;
Linux-aarch64)
    just_platform=manylinux_2_17_aarch64 just_sha=a305aa91fc425c44e3bcc7d5faae7b8c1503091d8e79aae1f6801dbdca478e20
    onnxruntime_platform=manylinux_2_28_aarch64 onnxruntime_sha=2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c ;;
Darwin-arm64)
    just_platform=macosx_11_0_arm64 just_sha=105f7d21ff3a36ffbe1c2039bcac2c63b92941a11e3531ecdff3e4b6411f87d4
    onnxruntime_platform=macosx_14_0_arm64 onnxruntime_sha=366b9e53d07812cc5c92822cecf7563b76a8a0f32ba3bb8dd232a206ac3bcb6c ;;
*) fail "no pinned downloads for $system; install just and ONNX Runtime by hand and set ORT_DYLIB_PATH" ;;
esac

command -v cargo >/dev/null || fail "cargo is missing: install Rust first (https://rustup.rs), then run this again"

# --- system packages ---------------------------------------------------------------------------------------------

# apt_install REASON PACKAGE...
apt_install() {
    local reason=$1; shift
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]} ($reason)"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "not root and no sudo: ask for these packages: ${missing[*]}"
        as_root=(sudo)
    fi
    local log; log=$(mktemp)
    "${as_root[@]}" apt-get update -qq >"$log" 2>&1 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${missing[@]}" >>"$log" 2>&1 ||
        fail "apt-get failed: $(grep -m1 -E '^E:' "$log" || tail -n1 "$log")"
    rm -f "$log"
}

# The libclang that is installed already, else Debian's and Ubuntu's own choice.
libclang_packages() {
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 'libclang1-*' 2>/dev/null |
        sed -n 's/^ii  *libclang1-\([0-9]*\)$/\1/p' | sort -n | tail -n1)
    [ -n "$installed" ] || installed=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n1)
    if [ -n "$installed" ]; then echo "libclang1-$installed libclang-common-$installed-dev"; else echo libclang-dev; fi
}

if [ "$system" = Darwin-arm64 ]; then
    command -v brew >/dev/null || fail "Homebrew is missing: see https://brew.sh, then run this again"
    for formula in opencv llvm; do
        brew list --formula "$formula" >/dev/null 2>&1 || { say "installing $formula with Homebrew (the opencv crate)"; brew install -q "$formula"; }
    done
elif [ -z "${OPENCV_INCLUDE_PATHS:-}" ]; then
    command -v apt-get >/dev/null || fail "no apt-get: install OpenCV 4 (core, imgproc) with headers, clang and libclang by hand and set OPENCV_INCLUDE_PATHS"
    apt_install "a C compiler; the opencv crate: preprocessing and augmentation" \
        gcc libc6-dev libopencv-core-dev libopencv-imgproc-dev clang
    # shellcheck disable=SC2046
    apt_install "the opencv crate reads headers with libclang" $(libclang_packages)
fi

# --- pinned wheels -----------------------------------------------------------------------------------------------

ensure_pip() {
    python3 -m pip --version >/dev/null 2>&1 && return
    [ "${system%%-*}" = Linux ] && apt_install "pip fetches the pinned downloads" python3 python3-pip
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is missing: install it, then run this again"
}

# fetch NAME VERSION PLATFORM SHA256: prints the path of the verified wheel.
fetch() {
    local folder; folder=$(mktemp -d)
    printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$4" >"$folder/requirements.txt"
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --platform "$3" --python-version 3.11 --implementation cp --abi cp311 --abi none \
        -r "$folder/requirements.txt" -d "$folder" >"$folder/log" 2>&1 ||
        fail "$1 $2 could not be fetched: $(grep -m1 ERROR "$folder/log" || tail -n1 "$folder/log")"
    echo "$folder"/*.whl
}

# extract WHEEL PATTERN FOLDER: files whose path in the wheel matches the pattern, without their folders, all or none.
extract() {
    python3 - "$@" <<'PYTHON'
import os, pathlib, re, shutil, sys, tempfile, zipfile
wheel, pattern, folder = sys.argv[1], re.compile(sys.argv[2]), pathlib.Path(sys.argv[3])
folder.mkdir(parents=True, exist_ok=True)
part = pathlib.Path(tempfile.mkdtemp(dir=folder, prefix=".part-"))
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        if pattern.search(entry.filename):
            target = part / pathlib.PurePosixPath(entry.filename).name
            target.write_bytes(archive.read(entry))
            target.chmod(0o755)
for target in part.iterdir():
    os.replace(target, folder / target.name)
shutil.rmtree(part)
PYTHON
}

# The first of these folders that is on PATH and can be written.
folder_on_path() {
    local folder
    for folder in "${CARGO_HOME:-$HOME/.cargo}/bin" "$HOME/.local/bin" /usr/local/bin; do
        case ":$PATH:" in *":$folder:"*) [ -w "$folder" ] && { echo "$folder"; return; } ;; esac
    done
    fail "no folder of PATH can be written: add $HOME/.local/bin to PATH (mkdir -p it), then run this again"
}

if ! command -v just >/dev/null; then
    ensure_pip
    folder=$(folder_on_path)
    say "installing just $just_version into $folder (it runs the commands of the justfile)"
    extract "$(fetch rust-just $just_version $just_platform $just_sha)" 'scripts/just$' "$folder"
fi

if [ -n "${ORT_DYLIB_PATH:-}" ]; then
    [ -f "$ORT_DYLIB_PATH" ] || fail "ORT_DYLIB_PATH names no file: $ORT_DYLIB_PATH"
elif [ ! -f .tools/onnxruntime/VERSION ] || [ "$(cat .tools/onnxruntime/VERSION)" != "$onnxruntime_version" ]; then
    ensure_pip
    say "fetching ONNX Runtime $onnxruntime_version into .tools/onnxruntime (it proves every export)"
    rm -rf .tools/onnxruntime
    extract "$(fetch onnxruntime $onnxruntime_version $onnxruntime_platform $onnxruntime_sha)" \
        'capi/libonnxruntime\.(so|[0-9.]*dylib|dylib)[0-9.]*$|/(LICENSE|ThirdPartyNotices\.txt)$' .tools/onnxruntime
    echo "$onnxruntime_version" >.tools/onnxruntime/VERSION
fi

if [ "${1:-}" = --tests ] && [ "$(cat .tools/python/VERSION 2>/dev/null)" != "$onnx_version $jsonschema_version" ]; then
    ensure_pip
    say "fetching the Python packages onnx $onnx_version and jsonschema $jsonschema_version into .tools/python (tests run their checkers)"
    rm -rf .tools/python
    python3 -m pip install -q --disable-pip-version-check --no-input --root-user-action=ignore --only-binary=:all: \
        --target .tools/python "onnx==$onnx_version" "jsonschema==$jsonschema_version" "PyYAML==6.0.3" >.tools/pip.log 2>&1 ||
        fail "onnx $onnx_version or jsonschema $jsonschema_version could not be installed: $(grep -m1 ERROR .tools/pip.log || tail -n1 .tools/pip.log)"
    echo "$onnx_version $jsonschema_version" >.tools/python/VERSION
fi

if [ "${1:-}" = --tests ]; then
    command -v chromium chromium-browser google-chrome >/dev/null || case $system in
    Linux-*) apt_install "a test opens the page of etalon report in it" chromium ;;
    *) fail "a test needs Chromium: install it and run this again" ;;
    esac
    services=$(cksum <tests/python/requirements.txt)
    if [ "$(cat .tools/services/VERSION 2>/dev/null)" != "$services" ]; then
        ensure_pip
        say "fetching an MLflow server and TensorBoard's reader into .tools/services (tests record to them)"
        rm -rf .tools/services
        python3 -m pip install -q --disable-pip-version-check --no-input --root-user-action=ignore --only-binary=:all: \
            --no-deps --target .tools/services -r tests/python/requirements.txt >.tools/pip.log 2>&1 ||
            fail "the packages of tests/python/requirements.txt could not be installed: $(grep -m1 ERROR .tools/pip.log || tail -n1 .tools/pip.log)"
        echo "$services" >.tools/services/VERSION
    fi
fi

say "ready"
