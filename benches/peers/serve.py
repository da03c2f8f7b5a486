"""What all peers share: orders on standard input, answers on standard output, one JSON line each; and their images.

A peer stays while others are measured, so that importing, tracing and compiling are not counted. Orders: `prepare` (a
network and how), `window` (so many seconds of it), `memory`. Whatever a library prints goes to standard error.
"""
import json
import os
import sys
import time

import numpy as np


def serve(prepare):
    """Answers orders until there are none. `prepare(order)` gives an object with `window(seconds)` and `about`."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    prepared = {}
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "prepare":
                prepared[order["id"]] = prepare(order)
                answer = prepared[order["id"]].about
            elif order["do"] == "window":
                answer = {"images_per_second": prepared[order["id"]].window(order["seconds"])}
            elif order["do"] == "forget":
                prepared.clear()
                answer = {}
            else:
                answer = {"peak_rss_bytes": peak_rss_bytes()}
        except Exception as error:  # a library that cannot do something is a line of the table, not the end of it
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")


def peak_rss_bytes():
    """The most memory that this process has held, as Linux counts it."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def timed(step, seconds, batch):
    """Images a second of `step(number)` over about `seconds`."""
    number, start = 0, time.perf_counter()
    while number == 0 or time.perf_counter() - start < seconds:
        step(number)
        number += 1
    return number * batch / (time.perf_counter() - start)


def images(shape, classes, batch, source):
    """Pixels u8 [n, h, w, c] and labels i64 [n]: whole batches of the file `source`, or random ones as `etalon bench`
    draws them: one part noise, three parts the picture of the class, which is 4 x 4 random patches."""
    if source:
        stored = np.load(source)
        return stored["images"], stored["labels"].astype(np.int64)
    height, width, channels = shape
    count = max(min(6400, (64 << 20) // (height * width * channels)) // batch, 1) * batch
    random = np.random.default_rng(1)
    patches = random.integers(0, 256, (classes, 4, 4, channels))
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    pictures = patches[:, rows][:, :, columns]
    labels = random.integers(0, classes, count)
    noise = random.integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    return (pictures[labels] // 4 * 3 + noise // 4).astype(np.uint8), labels
