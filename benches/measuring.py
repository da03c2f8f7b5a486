"""Lines of the table: contenders in turns, A B A B, medians of rounds, and the spread of the ratio from round to round."""
import pathlib
import statistics
from dataclasses import dataclass, field

import samples
from contenders import RUST, TOOLS, VARIANTS, Failed

# A variant that reaches less than this share of its peer's fastest is not measured again.
WORTH_REPEATING = 0.75
# Losses of the first steps may lie so far apart, since weights and images are drawn by each side for itself.
LOSS_APART = 0.25
# Steps that Keras runs as one graph (`steps_per_execution`); where the warm-up has fewer than twice as many, all of it,
# since Keras takes no part of them.
TOGETHER = 10


@dataclass
class Line:
    """What was found; rates in images a second, a number a round."""
    title: str
    batch: object
    goal: float
    unit: str = "×"
    ours: list = field(default_factory=list)
    peers: dict = field(default_factory=dict)
    losses: dict = field(default_factory=dict)
    share: float = None
    notes: list = field(default_factory=list)

    def best_peer(self, among=("Keras", "PyTorch", "ONNX Runtime", "torchvision")):
        """Name and rates of the peer with the best median that the goal speaks of."""
        found = {name: rates for name, rates in self.peers.items() if name.split(",")[0] in among}
        return max(found.items(), key=lambda item: statistics.median(item[1]), default=(None, []))


@dataclass
class Setting:
    """How long and with what everything is measured."""
    etalon: object
    peers: object
    data_dirs: list
    rounds: int
    seconds: float
    skip: tuple = ()
    ceilings: list = field(default_factory=list)


def training(workload, setting):
    """Rates and first losses of training."""
    line = Line(workload.title, workload.batch, workload.goal)
    arguments = [f"train.batch_size={workload.batch}", *workload.overrides, "--seconds", setting.seconds]
    source = ""
    if workload.real:
        samples.cifar10(setting.data_dirs)
        arguments += ["--with-data", "--data-dir", samples.DATA]
        source = str(samples.DATA / "cifar10.npz")

    def ours():
        said = setting.etalon.bench(workload.experiment, *arguments)
        setting.ceilings.append(said["ceiling_gflops"])
        line.share = said["gflops"] / statistics.median(setting.ceilings)
        line.losses["Etalon"] = said["warmup_loss"]
        return said

    first = ours()
    steps = first["warmup_steps"]
    order = {"network": workload.network, "options": workload.options, "batch": workload.batch, "source": source,
             "warmup_steps": steps, "together": TOGETHER if steps == 2 * TOGETHER else steps}
    variants = [(name, variant) for name in VARIANTS for variant in VARIANTS[name]
                if variant not in setting.skip and not (workload.real and variant in ("xla", "compiled"))]
    if workload.name == "cnn-128":
        variants += [(name, "default") for name in RUST]
    ready = prepared(line, variants, order, setting)
    in_turns(line, ready, lambda: ours()["images_per_second"], setting)
    setting.peers.forget()
    compare_losses(line, real=workload.real)
    return line


def prepared(line, variants, order, setting):
    """The variants that could be prepared; why others could not is noted."""
    ready = []
    for name, variant in variants:
        try:
            said = setting.peers.prepare(name, variant, **order)
            line.losses[label(name, variant)] = said.get("warmup_loss")
            ready.append((name, variant))
        except Failed as failed:
            line.notes.append(f"{label(name, variant)}: {failed}")
    return ready


def label(name, variant):
    return name if variant == "default" else f"{name}, {variant.replace('_', ' ')}"


def in_turns(line, ready, ours, setting):
    """A B A B: ours, then every variant that is worth it, round by round."""
    for number in range(setting.rounds):
        line.ours.append(ours())
        for name, variant in list(ready):
            rate = setting.peers.window(name, variant, setting.seconds)
            line.peers.setdefault(label(name, variant), []).append(rate)
        if number == 0:
            ready[:] = [one for one in ready if is_worth_it(one, line)]


def is_worth_it(one, line):
    name, variant = one
    of_peer = [rates[0] for known, rates in line.peers.items() if known.split(",")[0] == name]
    return line.peers[label(name, variant)][0] >= WORTH_REPEATING * max(of_peer)


def compare_losses(line, real):
    """Nobody skips work: the mean loss of as many first steps on images of the same kind agrees."""
    known = {name: loss for name, loss in line.losses.items() if loss is not None}
    if real or len(known) < 2:  # our warm-up is always on random images
        return
    middle = statistics.median(known.values())
    for name, loss in known.items():
        if abs(loss - middle) > LOSS_APART * middle:
            line.notes.append(f"loss of {name} {loss:.2f} against {middle:.2f} in the middle")


def inference(workload, setting):
    """Answers, against ONNX Runtime on the exported file."""
    line = Line(workload.title, workload.batch, workload.goal)
    model = exported(workload.experiment, setting)
    ready = prepared(line, [("ONNX Runtime", "default")], {"model": str(model), "batch": workload.batch}, setting)
    arguments = [f"train.batch_size={workload.batch}", "--inference", "--seconds", setting.seconds]

    def ours():
        said = setting.etalon.bench(workload.experiment, *arguments)
        setting.ceilings.append(said["ceiling_gflops"])
        line.share = said["gflops"] / statistics.median(setting.ceilings)
        return said["images_per_second"]

    in_turns(line, ready, ours, setting)
    setting.peers.forget()
    return line


def exported(experiment, setting):
    """The ONNX file of a network after one step, made once."""
    runs = TOOLS / "runs"
    name = pathlib.Path(experiment).stem
    found = sorted(runs.glob(f"{name}/*/model.onnx"))
    if not found:
        samples.cifar10(setting.data_dirs)
        setting.etalon.call("run", experiment, "train.epochs=none", "train.steps=1", "--runs-dir", runs, "--data-dir",
                            samples.DATA, "--format", "json", "--quiet")
        found = sorted(runs.glob(f"{name}/*/model.onnx"))
    return found[-1]


def images(workload, setting):
    """Loading on one thread, against torchvision."""
    line = Line(workload.title, "", workload.goal)
    if workload.chain == "photos":
        source = str(samples.photos())
    else:
        samples.cifar10(setting.data_dirs)
        source = str(samples.DATA / "cifar10.npz")
    ready = prepared(line, [("torchvision", "tensor"), ("torchvision", "pillow")],
                     {"network": workload.chain, "source": source}, setting)

    def ours():
        said = setting.etalon.bench(workload.experiment, "--with-data", "--data-dir", samples.DATA, "--seconds",
                                    setting.seconds, "train.last_batch=drop", threads=1)
        return said["images_per_second_loading"]

    in_turns(line, ready, ours, setting)
    setting.peers.forget()
    return line
