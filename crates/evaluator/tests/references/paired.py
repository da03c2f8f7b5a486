"""The p-values that crates/evaluator/src/compare/paired.rs is held to: python3 paired.py (needs statsmodels)."""
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

for gained, lost in [(12, 5), (0, 0), (30, 10), (3, 3)]:
    print(gained, lost, repr(float(mcnemar([[0, gained], [lost, 0]], exact=True).pvalue)))
print(multipletests([0.01, 0.04, 0.03, 0.005], method="holm")[1])
