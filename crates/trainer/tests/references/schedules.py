"""Factors of PyTorch's schedulers, step by step: schedules.json. Run: python schedules.py"""

import json
import pathlib

import torch
from torch.optim import lr_scheduler


def factors(make, n_steps, steps_per_epoch=1):
    """The rate before each step of an optimizer whose rate is 1; the scheduler moves once every `steps_per_epoch`."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for step in range(n_steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (step + 1) % steps_per_epoch == 0:
            scheduler.step()
    return found


CASES = [
    ("{type: cosine, final: 0.1}", 1, factors(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=40, eta_min=0.1), 40)),
    ("{type: linear, final: 0.25}", 1, factors(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, total_iters=30), 30)),
    ("{type: step, milestones: [3, 7], factor: 0.2}", 4, factors(lambda o: lr_scheduler.MultiStepLR(o, [3, 7], 0.2), 40, 4)),
    ("{type: step, every: 3, factor: 0.5}", 4, factors(lambda o: lr_scheduler.StepLR(o, 3, 0.5), 40, 4)),
    ("{type: constant, warmup_steps: 10, warmup_from: 0.3}", 1, factors(lambda o: lr_scheduler.LinearLR(o, 0.3, 1.0, total_iters=10), 20)),
    (
        "{type: cosine, warmup_steps: 8, warmup_from: 0.01}",
        1,
        factors(
            lambda o: lr_scheduler.SequentialLR(
                o,
                [lr_scheduler.LinearLR(o, 0.01, 1.0, total_iters=8), lr_scheduler.CosineAnnealingLR(o, T_max=32)],
                [8],
            ),
            40,
        ),
    ),
]

if __name__ == "__main__":
    rows = [{"schedule": s, "steps_per_epoch": e, "factors": f} for s, e, f in CASES]
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    pathlib.Path(__file__).with_suffix(".json").write_text(text)
