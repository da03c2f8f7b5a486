"""The figures that crates/evaluator/src/compare/paired.rs is held to: python3 paired.py (needs statsmodels and scipy)."""
import math

from scipy.stats import binomtest, bootstrap
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

for gained, lost in [(12, 5), (0, 0), (30, 10), (3, 3)]:
    by_statsmodels = mcnemar([[0, gained], [lost, 0]], exact=True).pvalue
    by_scipy = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    print(gained, lost, repr(float(by_statsmodels)), repr(float(by_scipy)))
print(multipletests([0.01, 0.04, 0.03, 0.005], method="holm")[1])

# Skewed differences of 150 samples, by a formula.
values = [math.sin(i) ** 3 + (2.5 if i % 17 == 0 else 0.0) for i in range(150)]
ends = bootstrap((values,), lambda x, axis: x.mean(axis=axis), n_resamples=1_000_000, batch=10_000,
                 method="percentile", confidence_level=0.95, random_state=1).confidence_interval
print(sum(values) / len(values), ends)
