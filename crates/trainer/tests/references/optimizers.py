"""Parameters after each of 12 steps of PyTorch's optimizers on a moving quadratic, in f64: optimizers.json.

The loss of step t is the sum over all elements of a p^2 / 2 - b[t] p, so its gradient is a p - b[t]. `kernel` is a weight,
`bias` is none: without `decay: all` only the kernel decays. Run: python optimizers.py
"""

import copy
import json
import math
import pathlib

import torch

torch.set_default_dtype(torch.float64)

START = {"kernel": [0.5, -1.0, 2.0], "bias": [0.25, -0.75]}
A = {"kernel": [1.0, 0.3, 2.0], "bias": [0.7, 1.5]}
N_STEPS = 12


def b(name, step):
    shift = {"kernel": 0, "bias": 3}[name]
    return [round(math.sin(1.0 + 0.7 * step + 1.3 * (i + shift)), 6) for i in range(len(START[name]))]


def put_gradients(parameters, step, clip_norm):
    for name, p in parameters.items():
        p.grad = torch.tensor(A[name]) * p.detach() - torch.tensor(b(name, step))
    if clip_norm is not None:
        norm = math.sqrt(sum(float((p.grad**2).sum()) for p in parameters.values()))
        for p in parameters.values():
            p.grad *= clip_norm / max(norm, clip_norm)


def run(make, weight_decay=0.0, decay="weights", clip_norm=None, look_ahead=False, rate=lambda step: 1.0):
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in START.items()}
    decay_of = {"kernel": weight_decay, "bias": weight_decay if decay == "all" else 0.0}
    optimizer = make([{"params": [p], "weight_decay": decay_of[name]} for name, p in parameters.items()])
    first_rate = optimizer.param_groups[0]["lr"]
    found = []
    for step in range(N_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = first_rate * rate(step)
        put_gradients(parameters, step, clip_norm)
        if look_ahead:
            # The gradient at the point ahead, then the step from here with the state from here. Weight decay is part of
            # the field that is evaluated: it is put into the gradient, at the point ahead.
            here = {name: p.detach().clone() for name, p in parameters.items()}
            state = copy.deepcopy(optimizer.state_dict())
            optimizer.step()
            put_gradients(parameters, step, clip_norm)
            for name, p in parameters.items():
                p.grad += decay_of[name] * (p.detach() - here[name])
            optimizer.load_state_dict(state)
            with torch.no_grad():
                for name, p in parameters.items():
                    p.copy_(here[name])
        optimizer.step()
        found.append({name: p.detach().tolist() for name, p in parameters.items()})
    return found


def sgd(**more):
    return lambda groups: torch.optim.SGD(groups, **more)


def adam(kind=torch.optim.Adam, **more):
    return lambda groups: kind(groups, **more)


CASES = [
    ("{type: sgd, learning_rate: 0.1}", run(sgd(lr=0.1))),
    ("{type: sgd, learning_rate: 0.1, momentum: 0.9}", run(sgd(lr=0.1, momentum=0.9))),
    ("{type: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}", run(sgd(lr=0.1, momentum=0.9, nesterov=True))),
    (
        "{type: sgd, learning_rate: 0.1, momentum: 0.9, weight_decay: 0.05, clip_norm: 0.8}",
        run(sgd(lr=0.1, momentum=0.9), 0.05, clip_norm=0.8),
    ),
    (
        "{type: sgd, learning_rate: 0.1, momentum: 0.9, weight_decay: 0.05, decay: all}",
        run(sgd(lr=0.1, momentum=0.9), 0.05, "all"),
    ),
    (
        "{type: sgd, learning_rate: 0.1, momentum: 0.9, schedule: {type: step, every_steps: 4, factor: 0.5}}",
        run(sgd(lr=0.1, momentum=0.9), rate=lambda step: 0.5 ** (step // 4)),
    ),
    ("{type: adam, learning_rate: 0.02}", run(adam(lr=0.02))),
    (
        "{type: adam, learning_rate: 0.02, beta1: 0.5, beta2: 0.9, epsilon: 0.001, weight_decay: 0.1}",
        run(adam(lr=0.02, betas=(0.5, 0.9), eps=1e-3), 0.1),
    ),
    ("{type: adamw, learning_rate: 0.02, weight_decay: 0.1}", run(adam(torch.optim.AdamW, lr=0.02), 0.1)),
    (
        "{type: adamw, learning_rate: 0.02, weight_decay: 0.1, decay: all, clip_norm: 1}",
        run(adam(torch.optim.AdamW, lr=0.02), 0.1, "all", clip_norm=1.0),
    ),
    ("{type: extragradient, learning_rate: 0.1}", run(sgd(lr=0.1), look_ahead=True)),
    (
        "{type: extragradient, learning_rate: 0.1, weight_decay: 0.05, base: {type: sgd, momentum: 0.9}}",
        run(sgd(lr=0.1, momentum=0.9), 0.05, look_ahead=True),
    ),
    ("{type: extragradient, learning_rate: 0.02, base: adam}", run(adam(lr=0.02), look_ahead=True)),
]

if __name__ == "__main__":
    problem = {"start": START, "a": A, "b": [{name: b(name, step) for name in START} for step in range(N_STEPS)]}
    lines = [json.dumps({"optimizer": text, "steps": steps}) for text, steps in CASES]
    text = '{"problem": ' + json.dumps(problem) + ',\n"cases": [\n' + ",\n".join(lines) + "\n]}\n"
    pathlib.Path(__file__).with_suffix(".json").write_text(text)
