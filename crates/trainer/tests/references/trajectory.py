"""Losses of 50 training steps in PyTorch: trajectory.json.

Two networks of the experiments, each from weights and on batches that a formula gives, which `trajectory.rs` computes
too. The losses are those of f64, beside the largest relative difference of PyTorch's own f32 from them: relu after
batch norm magnifies what rounding leaves from step to step, so ResNet-20 starts from large kernels, which batch norm
makes small steps of, and sees two batches in turns. Run: python trajectory.py (numpy 2, torch 2.15)
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

N_STEPS, SIDE, CLASSES = 50, 32, 10


def mixed(x):
    """A mixing function on u32."""
    x = np.atleast_1d(np.asarray(x, dtype=np.uint32))
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def stream(key, n):
    """n numbers below 2^32 that belong to a key."""
    return mixed(np.arange(n, dtype=np.uint32) + mixed(key))


def weights(index, dims, spread):
    """Parameter `index`: multiples of a power of two in ± `spread` times the largest power of two up to √(6 / inputs)."""
    inputs = int(np.prod(dims[1:]))
    bound = 1.0
    while bound * bound * inputs > 6:
        bound /= 2
    bound *= spread
    whole = (stream(index, int(np.prod(dims))) >> np.uint32(16)).astype(np.int64) - 32768
    return (whole / 32768 * bound).reshape(dims)


def batch(number, size):
    """Labels, and images of a pattern of 8 x 8 fields that belongs to the label, under noise."""
    labels = stream(1000 + number, size) % CLASSES
    images = np.empty((size, SIDE, SIDE, 3))
    for i, label in enumerate(labels):
        pattern = (stream(3000 + int(label), 4 * 4 * 3) >> np.uint32(26)).reshape(4, 4, 3)
        noise = (stream(100000 + size * number + i, SIDE * SIDE * 3) % 192).reshape(SIDE, SIDE, 3)
        images[i] = pattern.repeat(8, axis=0).repeat(8, axis=1) + noise
    return images, labels.astype(np.int64)


class Parameters:
    """Arrays in the order in which the layers ask for them, as the engine has them: output axis first, channels last."""

    def __init__(self, dtype, spread):
        self.dtype, self.spread, self.arrays, self.is_weight, self.next = dtype, spread, [], [], 0

    def take(self, dims, value=None):
        if self.next == len(self.arrays):
            spread = self.spread if len(dims) == 4 else 1
            first = weights(self.next, dims, spread) if value is None else np.full(dims, value)
            self.arrays.append(torch.tensor(first, dtype=self.dtype, requires_grad=True))
            self.is_weight.append(value is None)
        self.next += 1
        return self.arrays[self.next - 1]


def conv(p, x, filters, stride=1, same=False, bias=False):
    if same:
        # As much padding as ceil(input / stride) outputs need; an odd one goes to the end.
        total = max(0, (-(-x.shape[2] // stride) - 1) * stride + 3 - x.shape[2])
        x = F.pad(x, (total // 2, total - total // 2) * 2)
    kernel = p.take((filters, 3, 3, x.shape[1])).permute(0, 3, 1, 2)
    return F.conv2d(x, kernel, p.take((filters,), 0.0) if bias else None, stride)


def dense(p, x, units):
    return F.linear(x, p.take((units, x.shape[1])), p.take((units,), 0.0))


def batch_norm(p, x):
    channels = x.shape[1]
    return F.batch_norm(x, None, None, p.take((channels,), 1.0), p.take((channels,), 0.0), training=True, eps=1e-5)


def cifar_cnn(p, x):
    for filters, pools in [(32, True), (64, True), (64, False)]:
        x = conv(p, x, filters, bias=True).relu()
        x = F.max_pool2d(x, 2) if pools else x
    x = x.permute(0, 2, 3, 1).flatten(1)
    return dense(p, dense(p, x, 64).relu(), CLASSES)


def residual(p, x, filters, stride=1):
    y = batch_norm(p, conv(p, x, filters, stride, same=True)).relu()
    y = batch_norm(p, conv(p, y, filters, same=True))
    shortcut = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, 0, filters - x.shape[1]))
    return (y + shortcut).relu()


def resnet20(p, x):
    x = batch_norm(p, conv(p, x, 16, same=True)).relu()
    for filters, first_stride in [(16, 1), (32, 2), (64, 2)]:
        for stride in [first_stride, 1, 1]:
            x = residual(p, x, filters, stride)
    return dense(p, x.mean(dim=(2, 3)), CLASSES)


def adam(p):
    return torch.optim.Adam(p.arrays, lr=0.001)


def sgd(p):
    decays = [a for a, is_weight in zip(p.arrays, p.is_weight) if is_weight]
    others = [a for a, is_weight in zip(p.arrays, p.is_weight) if not is_weight]
    groups = [{"params": decays, "weight_decay": 1e-4}, {"params": others}]
    return torch.optim.SGD(groups, lr=0.003, momentum=0.9)


# For each network: optimizer, images of a batch, batches that take turns, and how much larger the first kernels are.
CASES = {cifar_cnn: (adam, 16, 50, 1), resnet20: (sgd, 32, 2, 8)}


def losses(network, dtype):
    optimizer, size, n_batches, spread = CASES[network]
    p, found, moves = Parameters(dtype, spread), [], None
    for step in range(N_STEPS):
        images, labels = batch(step % n_batches, size)
        x = torch.tensor(images, dtype=dtype).permute(0, 3, 1, 2) / 128 - 1
        p.next = 0
        loss = F.cross_entropy(network(p, x), torch.tensor(labels))
        moves = moves or optimizer(p)
        moves.zero_grad()
        loss.backward()
        moves.step()
        found.append(loss.item())
    return found


def case(network):
    exact, single = (losses(network, dtype) for dtype in (torch.float64, torch.float32))
    worst = max(abs(a / b - 1) for a, b in zip(single, exact))
    return {"losses": [float(f"{x:.12g}") for x in exact], "of_pytorch_f32": float(f"{worst:.1e}")}


if __name__ == "__main__":
    text = ",\n".join(f"{json.dumps(network.__name__)}: {json.dumps(case(network))}" for network in CASES)
    pathlib.Path(__file__).with_suffix(".json").write_text("{\n" + text + "\n}\n")
