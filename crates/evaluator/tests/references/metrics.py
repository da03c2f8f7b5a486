"""Writes metrics.json: predictions made up here and what scikit-learn says of them.

    python3 -m venv venv && venv/bin/pip install scikit-learn==1.9.1
    venv/bin/python metrics.py > metrics.json

Probabilities are multiples of 1/64, so that they are exact in f32, print shortly and are often equal.
calibration_error is not in scikit-learn; it is written out below from its definition (Guo et al. 2017, equation 5).
"""

import json

import numpy as np
import sklearn
from sklearn import metrics as m


def predictions(rng, n, n_classes, sure, absent=()):
    labels = rng.integers(0, n_classes, n)
    present = [c for c in range(n_classes) if c not in absent]
    labels = np.array([present[label % len(present)] for label in labels])
    scores = rng.normal(size=(n, n_classes))
    scores[np.arange(n), labels] += sure
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    counts = np.floor(shares * 64).astype(int)
    # What rounding left over goes to the first of the largest.
    counts[np.arange(n), shares.argmax(1)] += 64 - counts.sum(1)
    return labels, counts / 64


def calibration_error(labels, p, n_bins=15):
    confidence, right = p.max(1), p.argmax(1) == labels
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return sum(
        (bins == b).mean() * abs(right[bins == b].mean() - confidence[bins == b].mean())
        for b in range(n_bins)
        if (bins == b).any()
    )


def case(labels, p, ks, auroc=True):
    n, n_classes = p.shape
    decisions, classes = p.argmax(1), list(range(n_classes))
    values = {
        "accuracy": m.accuracy_score(labels, decisions),
        "log_loss": m.log_loss(labels, p, labels=classes),
        # Brier's own definition sums over all classes; scikit-learn halves it for two classes unless told otherwise.
        "brier": m.brier_score_loss(labels, p, labels=classes, scale_by_half=False),
        "calibration_error": calibration_error(labels, p),
    }
    for k in ks:
        # Equal probabilities go by class here, smallest first, by a difference too small to matter otherwise.
        untied = p - np.arange(n_classes) * 1e-9
        values[f"top_{k}_accuracy"] = m.top_k_accuracy_score(labels, untied, k=k, labels=classes)
    by_class = {}
    for name, score in [("precision", m.precision_score), ("recall", m.recall_score), ("f1", m.f1_score)]:
        for average in ["macro", "weighted", "micro"]:
            values[f"{name}_{average}"] = score(labels, decisions, average=average, zero_division=0)
        by_class[name] = list(score(labels, decisions, average=None, labels=classes, zero_division=0))
    if auroc:
        hot = np.eye(n_classes)[labels]
        for average in ["macro", "weighted", "micro"]:
            values[f"auroc_{average}"] = m.roc_auc_score(hot, p, average=average)
        by_class["auroc"] = list(m.roc_auc_score(hot, p, average=None))
    return {
        "n_classes": n_classes,
        "labels": labels.tolist(),
        "sixty_fourths": (p * 64).astype(int).ravel().tolist(),
        "values": {name: float(value) for name, value in values.items()},
        "by_class": {name: [float(x) for x in row] for name, row in by_class.items()},
        "confusion": m.confusion_matrix(labels, decisions, labels=classes).ravel().tolist(),
    }


rng = np.random.default_rng(20260301)
cases = {
    "five classes": case(*predictions(rng, 120, 5, 1.5), ks=[2, 3]),
    "two classes": case(*predictions(rng, 60, 2, 1.0), ks=[]),
    # Class 2 is no label, though sometimes decided; an area under the curve is not defined for it.
    "a class without labels": case(*predictions(rng, 40, 4, 0.5, absent=[2]), ks=[2], auroc=False),
}
rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in cases.items())
print(f'{{"scikit_learn": "{sklearn.__version__}", "cases": {{\n{rows}\n}}}}')
