"""How long `etalon compare` takes over many runs, and how much memory: seconds and MB, five times.

    python3 benches/compare_runs.py target/debug/etalon [--runs 10000]

One short run is made for real; its run.json and resolved.yaml are then written as often as asked, with other seeds,
learning rates and results, as repeated experiments leave them.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

GOAL_SECONDS, GOAL_MEGABYTES = 2.0, 1000


def real_run(etalon, folder):
    """A run directory as the program itself writes it."""
    experiment = folder / "small.yaml"
    experiment.write_text(pathlib.Path("experiments/shapes_quickstart.yaml").read_text())
    subprocess.run(
        [etalon, "run", experiment, "train.epochs=1", "--runs-dir", folder / "made", "--quiet", "--format", "json"],
        check=True, capture_output=True, text=True)
    return next(path.parent for path in (folder / "made").rglob("run.json"))


def write_runs(made, folder, count):
    """`count` runs: four seeds of each learning rate, 25 rates over and over with other batch sizes."""
    run = json.loads((made / "run.json").read_text())
    resolved = (made / "resolved.yaml").read_text()
    for index in range(count):
        seed, variant = index % 4 + 1, index // 4
        run["id"] = f"{run['id'].split('-')[0]}-{seed}-{index:08x}"
        run["seed"] = seed
        for number, metric in enumerate(run["metrics"].values()):
            shift = ((index * 7919 + number * 31) % 1000) / 100_000
            for key in ("value", "low", "high"):
                metric[key] += shift
        text = re.sub(r"(?m)^seed: .*$", f"seed: {seed}", resolved)
        text = re.sub(r"(?m)^(\s+)learning_rate: .*$", rf"\g<1>learning_rate: {0.001 * (variant % 25 + 1):.3f}", text, count=1)
        text = re.sub(r"(?m)^(\s+)batch_size: .*$", rf"\g<1>batch_size: {variant // 25 + 8}", text, count=1)
        directory = folder / run["name"] / run["id"]
        directory.mkdir(parents=True)
        (directory / "run.json").write_text(json.dumps(run))
        (directory / "resolved.yaml").write_text(text)


def measured(command):
    """Seconds and peak megabytes of a command."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, f"{command} failed"
    return time.perf_counter() - begun, usage.ru_maxrss / 1000


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("etalon")
    arguments.add_argument("--runs", type=int, default=10_000)
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_runs(real_run(arguments.etalon, folder), folder / "runs", arguments.runs)
        rounds = [measured([arguments.etalon, "compare", folder / "runs"]) for _ in range(5)]
    seconds, megabytes = ([round[part] for round in rounds] for part in (0, 1))
    print(f"{arguments.runs} runs: {statistics.median(seconds):.2f} s [{min(seconds):.2f}, {max(seconds):.2f}], "
          f"{max(megabytes):.0f} MB; goal {GOAL_SECONDS:.0f} s, {GOAL_MEGABYTES} MB")


if __name__ == "__main__":
    main()
