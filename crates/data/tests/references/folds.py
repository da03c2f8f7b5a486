"""Writes folds.json: labels and groups made up here, and how scikit-learn cuts them into folds.

    python3 -m venv venv && venv/bin/pip install scikit-learn==1.9.1
    venv/bin/python folds.py > folds.json

`stratified` are the counts of every class in every fold of StratifiedKFold. Which samples are in which fold is a matter of
the shuffle, the counts are not. Labels begin with every class in order, since StratifiedKFold numbers classes as they
come. `grouped` is the largest difference, over folds and classes, between a fold's share of a class and 1 / k, and that of
its share of all samples, for StratifiedGroupKFold without a shuffle: what whole groups allow a greedy method to reach.
"""

import json

import numpy as np
import sklearn
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold


def stratified(labels, k):
    cut = StratifiedKFold(k).split(labels, labels)
    return [np.bincount(labels[held], minlength=labels.max() + 1).tolist() for _, held in cut]


def grouped(labels, groups, k):
    totals = np.bincount(labels)
    classes = samples = 0.0
    for _, held in StratifiedGroupKFold(k).split(labels, labels, groups):
        shares = np.bincount(labels[held], minlength=len(totals)) / totals
        classes = max(classes, np.abs(shares - 1 / k).max())
        samples = max(samples, abs(len(held) / len(labels) - 1 / k))
    return {"classes": classes, "samples": samples}


def main():
    rng = np.random.default_rng(7)
    cases = []
    for n, n_classes, k, n_groups in [(103, 3, 5, 20), (60, 4, 2, 9), (500, 10, 10, 60), (77, 2, 7, 30), (2000, 7, 3, 41)]:
        weights = rng.dirichlet(np.full(n_classes, 2.0))
        labels = np.concatenate([np.arange(n_classes)] * k + [rng.choice(n_classes, n - k * n_classes, p=weights)])
        # Groups lean towards a class, as videos do.
        leaning = rng.integers(0, n_classes, n_groups)
        groups = np.array([rng.choice(n_groups, p=p / p.sum()) for p in [1 + 9 * (leaning == c) for c in labels]])
        groups = np.unique(groups, return_inverse=True)[1]
        cases.append({
            "labels": labels.tolist(), "groups": groups.tolist(), "k": k,
            "stratified": stratified(labels, k), "grouped": grouped(labels, groups, k),
        })
    print(json.dumps({"sklearn": sklearn.__version__, "cases": cases}))


main()
