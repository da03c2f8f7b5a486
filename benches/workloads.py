"""The lines of the table: what is measured, by which file of ours and which network of the peers, and the goal."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Training:
    """Whole steps. `network` and `options` are the peers' (peers/*_networks.py), `experiment` and `overrides` ours."""
    name: str
    title: str
    experiment: str
    network: str
    batch: int
    goal: float
    overrides: tuple = ()
    options: dict = field(default_factory=dict)
    real: bool = False


@dataclass(frozen=True)
class Inference:
    """Answers, against ONNX Runtime on the file that was exported."""
    name: str
    title: str
    experiment: str
    batch: int
    goal: float


@dataclass(frozen=True)
class Images:
    """Loading on one thread, against torchvision."""
    name: str
    title: str
    experiment: str
    chain: str
    goal: float


@dataclass(frozen=True)
class Fact:
    """A figure that is no rate beside a rate: `measure` is a function of facts.py."""
    name: str
    title: str
    measure: str
    goal: float


CNN, RESNET = "experiments/cifar_cnn.yaml", "experiments/cifar_resnet20.yaml"
OURS = "benches/experiments"

WORKLOADS = [
    Training("cnn-32", "CIFAR CNN", CNN, "cifar_cnn", 32, 5),
    Training("cnn-128", "CIFAR CNN", CNN, "cifar_cnn", 128, 5),
    Training("cnn-real-32", "CIFAR CNN, real data", CNN, "cifar_cnn", 32, 5, real=True),
    Training("cnn-real-128", "CIFAR CNN, real data", CNN, "cifar_cnn", 128, 5, real=True),
    Training("cnn-strict", "CIFAR CNN, strict", CNN, "cifar_cnn", 128, 2.5, ("engine.arithmetic=strict",)),
    Training("cnn-accurate", "CIFAR CNN, accurate", CNN, "cifar_cnn", 128, 4.5, ("engine.arithmetic=accurate",)),
    Training("smooth", "CIFAR CNN, smooth", f"{OURS}/cifar_cnn_smooth.yaml", "cifar_cnn_smooth", 128, 3),
    Training("resnet20", "ResNet-20", RESNET, "cifar_resnet20", 128, 3),
    Training("mobilenet", "MobileNet-v2", f"{OURS}/cifar_mobilenet_v2.yaml", "cifar_mobilenet_v2", 64, 2.5),
    Training("mlp", "MLP", f"{OURS}/mlp.yaml", "mlp", 128, 2),
    Training("vgg", "VGG-like, 64 x 64", f"{OURS}/vgg.yaml", "vgg", 32, 2.5),
    Training("lenet5", "LeNet-5", "experiments/mnist_lenet5.yaml", "mnist_lenet5", 64, 5),
    Inference("answers-cnn-1", "CIFAR CNN, answers", CNN, 1, 2),
    Inference("answers-cnn-256", "CIFAR CNN, answers", CNN, 256, 2),
    Inference("answers-resnet20-1", "ResNet-20, answers", RESNET, 1, 2),
    Inference("answers-resnet20-256", "ResNet-20, answers", RESNET, 256, 2),
    Images("crop-flip", "pad, crop, flip", f"{OURS}/crop_flip.yaml", "crop_flip", 5),
    Images("rotate-jitter", "rotate, colour jitter", f"{OURS}/rotate_jitter.yaml", "rotate_jitter", 5),
    Images("photos", "JPEG, resize, crop", f"{OURS}/photos.yaml", "photos", 1.5),
    Fact("dense", "strict, dense products", "dense", 85),
    Fact("process", "whole process, one epoch", "process", 8),
    Fact("memory", "peak memory, CIFAR CNN", "memory", 5),
    Fact("threads", "two threads against one", "threads", 1.85),
    Fact("augmentation", "cost of crop and flip", "augmentation", 15),
]


def tell_names():
    """Prints the names and titles of all lines."""
    print("\n".join(f"{workload.name:<22}{workload.title}" for workload in WORKLOADS))


# On its own it needs nothing that `just bench-setup` installs.
if __name__ == "__main__":
    tell_names()
