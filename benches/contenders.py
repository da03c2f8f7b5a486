"""Who is measured: our program, called anew each time, and peers that stay and take orders (peers/serve.py)."""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
TOOLS = ROOT / ".tools/bench"

# Variants by peer; the slow ones are measured once. The fastest of a peer counts.
VARIANTS = {"Keras": ["plain", "xla"], "PyTorch": ["contiguous", "channels_last", "compiled"]}
SCRIPTS = {"Keras": "keras_peer.py", "PyTorch": "torch_peer.py", "ONNX Runtime": "onnxruntime_peer.py",
           "torchvision": "torchvision_peer.py"}
RUST = ["burn", "candle"]


class Failed(Exception):
    """A contender cannot do what was asked; the line says so."""


class Etalon:
    """Calls of the program."""

    def __init__(self, binary, threads):
        self.binary, self.threads = str(pathlib.Path(binary).resolve()), threads

    def bench(self, experiment, *arguments, threads=None):
        """The JSON line of `etalon bench`."""
        return self.call("bench", experiment, "--format", "json", "--threads", str(threads or self.threads), *arguments)

    def call(self, *arguments):
        """The last line of a call, read where it is JSON."""
        done = subprocess.run([self.binary, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"etalon {' '.join(map(str, arguments))}: {done.stderr.strip()[-400:]}")
        lines = done.stdout.strip().splitlines()
        return json.loads(lines[-1]) if lines and lines[-1].startswith("{") else "".join(lines[-1:])


class Peer:
    """A process that takes orders."""

    def __init__(self, name, threads):
        self.name = name
        if name in RUST:
            command = [HERE / "rust_peers/target/release/rust_peers", name, str(threads)]
        else:
            command = [TOOLS / "bin/python", HERE / "peers" / SCRIPTS[name], str(threads)]
        if not pathlib.Path(command[0]).exists():
            raise Failed(f"{name} is not installed: just bench-setup")
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads),
                                    "TORCHINDUCTOR_CACHE_DIR": str(TOOLS / "inductor"), "CUDA_VISIBLE_DEVICES": ""}
        self.process = subprocess.Popen(list(map(str, command)), env=environment, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def order(self, **order):
        """The answer to an order."""
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            raise Failed(f"{self.name}: {answer['error']}")
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)


class Peers:
    """Processes by name, started when first asked for."""

    def __init__(self, threads):
        self.threads, self.running, self.versions = threads, {}, {}

    def prepare(self, name, variant, **order):
        """What the peer says of itself once it is ready; then `window` measures it."""
        if name not in self.running:
            self.running[name] = Peer(name, self.threads)
        said = self.running[name].order(do="prepare", id=variant, variant=variant, **order)
        self.versions[name] = said["version"]
        return said

    def window(self, name, variant, seconds):
        return self.running[name].order(do="window", id=variant, seconds=seconds)["images_per_second"]

    def forget(self):
        """Frees what was prepared."""
        for name, peer in list(self.running.items()):
            try:
                peer.order(do="forget")
            except Failed as failed:
                print(failed, file=sys.stderr)
                del self.running[name]

    def end(self):
        for peer in self.running.values():
            peer.end()
        self.running.clear()
