"""Figures that are no rates beside rates: share of the ceiling, a whole process, memory, threads, the cost of augmentation.
Each gives a `Line`."""
import shutil
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import samples
from contenders import HERE, TOOLS, VARIANTS, Failed, Peer
from measuring import Line, label
from workloads import CNN, OURS


def dense(workload, setting):
    """Percent of the ceiling that the CIFAR CNN's products reach with `strict` where none is left out: forward and both
    gradients of each layer alone, on one thread, in their time together. The images need no gradient."""
    line, slowest = Line(workload.title, "", workload.goal, "share"), []
    for _ in range(setting.rounds):
        said = setting.etalon.call("bench", "kernels", CNN, "engine.arithmetic=strict", "--format", "json")
        taken = [row for row in said["kernels"] if row["is_taken"]]
        passes = [(row["flops_per_image"], row[f"gflops_{name}"]) for row in taken
                  for name in ("forward", "input_gradient", "kernel_gradient")
                  if (row is not taken[0] or name != "input_gradient")]
        together = sum(flops for flops, _ in passes) / sum(flops / rate for flops, rate in passes)
        line.ours.append(100 * together / said["ceiling_gflops"])
        slowest.append(100 * min(rate for flops, rate in passes if flops > 1e6) / said["ceiling_gflops"])
    line.notes.append(f"the slowest pass of more than a million operations reaches {statistics.median(slowest):.0f} %")
    return line


def process(workload, setting):
    """Seconds from the start of a process to the end of its first epoch of CIFAR-10; the ratio is theirs to ours."""
    batches = samples.cifar10(setting.data_dirs)
    line = Line(workload.title, 64, workload.goal, "seconds")
    for _ in range(max(setting.rounds - 1, 1)):
        runs = tempfile.mkdtemp(prefix="etalon-bench-")
        start = time.perf_counter()
        # Two epochs are asked for, and the run pauses after one: it is trained and saved, nothing is evaluated.
        setting.etalon.call("run", CNN, "train.epochs=2", "train.batch_size=64", "data.validation=none", "--quiet",
                            "--pause-after", "1", "--data-dir", samples.DATA, "--runs-dir", runs, "--threads",
                            setting.etalon.threads)
        line.ours.append(time.perf_counter() - start)
        shutil.rmtree(runs)
        start = time.perf_counter()
        command = [TOOLS / "bin/python", HERE / "peers/keras_first_epoch.py", batches, setting.etalon.threads]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"Keras: {done.stderr[-300:]}")
        line.peers.setdefault("Keras", []).append(time.perf_counter() - start)
    return line


def memory(workload, setting):
    """The most megabytes that a process of its own takes to train the CIFAR CNN at batch 128; theirs to ours."""
    line = Line(workload.title, 128, workload.goal, "MB")
    said = setting.etalon.bench(CNN, "train.batch_size=128", "--seconds", setting.seconds)
    line.ours.append(said["peak_rss_bytes"] / 1e6)
    for name, variant in (("PyTorch", "contiguous"), ("Keras", "plain")):
        peer = Peer(name, setting.etalon.threads)
        peer.order(do="prepare", id=variant, variant=variant, network="cifar_cnn", options={}, batch=128, source="",
                   warmup_steps=10, together=10)
        peer.order(do="window", id=variant, seconds=setting.seconds)
        line.peers[label(name, variant)] = [peer.order(do="memory")["peak_rss_bytes"] / 1e6]
        peer.end()
    return line


def threads(workload, setting):
    """Training the CIFAR CNN at batch 128 on all threads and on one; beside it as many runs of one thread at a time, which
    share nothing but the machine: more than they do together no threads can do."""
    line, together = Line(workload.title, 128, workload.goal, "images/s"), []

    def rate(count):
        said = setting.etalon.bench(CNN, "train.batch_size=128", "--seconds", setting.seconds, threads=count)
        return said["images_per_second"]

    for _ in range(setting.rounds):
        line.ours.append(rate(setting.etalon.threads))
        line.peers.setdefault("one thread", []).append(rate(1))
        with ThreadPoolExecutor() as runs:
            together.append(sum(runs.map(rate, [1] * setting.etalon.threads)))
    line.notes.append(f"{setting.etalon.threads} runs of one thread each at the same time make "
                      f"{statistics.median(together):,.0f} images/s together")
    return line


def augmentation(workload, setting):
    """Percent of the step that crop and flip cost: what training without them has over training with them, both on real
    images with the loader."""
    samples.cifar10(setting.data_dirs)
    line = Line(workload.title, 128, workload.goal, "%")

    def rate(*overrides):
        said = setting.etalon.bench(f"{OURS}/crop_flip.yaml", "train.batch_size=128", *overrides, "--with-data",
                                    "--data-dir", samples.DATA, "--seconds", setting.seconds)
        return said["images_per_second"]

    for _ in range(setting.rounds):
        without = rate("data.augment=[]")
        line.ours.append(100 * (1 - rate() / without))
    line.notes.append(f"cost {statistics.median(line.ours):.0f} % of the step; the goal is at most {workload.goal:.0f} %")
    return line
