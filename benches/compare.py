"""Times training of the CIFAR network with Etalon's engine and with Keras in turns, and prints rates and ratios.

    python3 benches/compare.py ETALON_RATE_PROGRAM PEER_PYTHON [--rounds 3] [--threads 2]

ETALON_RATE_PROGRAM is the engine's example `rate`: it takes `--batch N --threads N --windows N` and prints one JSON
line with "images_per_second", a rate a window; so does benches/keras_cifar_cnn.py. Both train the same network with
adam on random images in memory, warm-up excluded.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("etalon")
parser.add_argument("peer_python")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--batches", type=int, nargs="+", default=[32, 128])
arguments = parser.parse_args()
peer_script = pathlib.Path(__file__).with_name("keras_cifar_cnn.py")


def rates(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


print(f"{'batch':>5}  {'who':<36} {'median':>8} {'best':>8} {'worst':>8}  images/s")
for batch in arguments.batches:
    found = {}
    for _ in range(arguments.rounds):
        options = ["--batch", str(batch), "--threads", str(arguments.threads), "--windows", "6"]
        for command in ([arguments.etalon, *options], [arguments.peer_python, str(peer_script), *options]):
            line = rates(command)
            found.setdefault(line["peer"], []).extend(line["images_per_second"])
    for who, values in found.items():
        print(f"{batch:>5}  {who:<36} {statistics.median(values):>8,.0f} {max(values):>8,.0f} {min(values):>8,.0f}")
    ours, peer = list(found.values())
    print(f"{batch:>5}  ratio: medians {statistics.median(ours) / statistics.median(peer):.2f}, "
          f"best against best {max(ours) / max(peer):.2f}", flush=True)
