"""The measured networks in PyTorch, as benches/experiments and experiments have them."""
import torch
from torch import nn


def cifar_cnn(activation=nn.ReLU, pool=nn.MaxPool2d, width=32, depth=0):
    """The tutorial's network; with `depth`, that many same-padded convolutions instead of its third."""
    wide = 2 * width
    third = [nn.Conv2d(wide, wide, 3), activation()] if depth == 0 else [
        layer for _ in range(depth) for layer in (nn.Conv2d(wide, wide, 3, padding=1), activation())]
    side = 4 if depth == 0 else 6
    return nn.Sequential(
        nn.Conv2d(3, width, 3), activation(), pool(2), nn.Conv2d(width, wide, 3), activation(), pool(2), *third,
        nn.Flatten(), nn.Linear(wide * side * side, 64), activation(), nn.Linear(64, 10)), adam(0.001)


def cifar_cnn_smooth():
    return cifar_cnn(nn.GELU, nn.AvgPool2d)


def adam(rate):
    return lambda parameters: torch.optim.Adam(parameters, lr=rate, fused=True)


def sgd(rate, decay):
    return lambda parameters: torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay, fused=True)


def convolution(inputs, filters, size=3, stride=1, groups=1, relu=True):
    layer = nn.Conv2d(inputs, filters, size, stride, size // 2, groups=groups, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    return nn.Sequential(layer, nn.BatchNorm2d(filters), *([nn.ReLU(inplace=True)] if relu else []))


class Residual(nn.Module):
    def __init__(self, inputs, filters):
        super().__init__()
        self.narrows = inputs != filters
        self.body = nn.Sequential(convolution(inputs, filters, 3, 2 if self.narrows else 1),
                                  convolution(filters, filters, relu=False))

    def forward(self, x):
        shortcut = x
        if self.narrows:  # option A: subsampled, new channels zero
            shortcut = x[:, :, ::2, ::2]
            shortcut = torch.cat([shortcut, torch.zeros_like(shortcut)], 1)
        return torch.relu(self.body(x) + shortcut)


def cifar_resnet20():
    widths = [16] * 4 + [32] * 3 + [64] * 3
    blocks = [Residual(inputs, filters) for inputs, filters in zip(widths, widths[1:])]
    return nn.Sequential(convolution(3, 16), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)), \
        sgd(0.1, 1e-4)


# Filters, repetitions, stride, expansion (Sandler et al. 2018, table 2), the first two strides 1.
MOBILE = [(16, 1, 1, 1), (24, 2, 1, 6), (32, 3, 2, 6), (64, 4, 2, 6), (96, 3, 1, 6), (160, 3, 2, 6), (320, 1, 1, 6)]


class Bottleneck(nn.Module):
    def __init__(self, inputs, filters, stride, expansion, adds):
        super().__init__()
        wide = inputs * expansion
        expand = [convolution(inputs, wide, 1)] if expansion > 1 else []
        self.adds = adds
        self.body = nn.Sequential(*expand, convolution(wide, wide, 3, stride, wide),
                                  convolution(wide, filters, 1, relu=False))

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


def cifar_mobilenet_v2():
    blocks, inputs = [convolution(3, 32)], 32
    for filters, repeat, stride, expansion in MOBILE:
        for block in range(repeat):
            blocks.append(Bottleneck(inputs, filters, stride if block == 0 else 1, expansion, block > 0))
            inputs = filters
    return nn.Sequential(*blocks, convolution(320, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(1280, 10)), sgd(0.05, 0.0)


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                         nn.Linear(512, 10)), adam(0.001)


def vgg():
    stack, inputs = [], 3
    for filters in (64, 128, 256):
        for _ in range(2):
            layer = nn.Conv2d(inputs, filters, 3, padding=1)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            stack += [layer, nn.ReLU(inplace=True)]
            inputs = filters
        stack.append(nn.MaxPool2d(2))
    return nn.Sequential(*stack, nn.Flatten(), nn.Linear(256 * 8 * 8, 10)), adam(0.0005)


def mnist_lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)), adam(0.002)


SHAPES = {"mlp": (28, 28, 1), "mnist_lenet5": (28, 28, 1), "vgg": (64, 64, 3)}


def network(name, options):
    """A model, what makes its optimizer, and the shape of its images [height, width, channels]."""
    found = {make.__name__: make for make in (
        cifar_cnn, cifar_cnn_smooth, cifar_resnet20, cifar_mobilenet_v2, mlp, vgg, mnist_lenet5)}
    model, optimizer = found[name](**options)
    return model, optimizer, SHAPES.get(name, (32, 32, 3))
