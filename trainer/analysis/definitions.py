"""What each statistic means, as data: pages show it, docs/metrics.md is tested against it."""

from dataclasses import dataclass

REPORT = "Chan et al., ICLR 2020 (arXiv 1912.05663)"
OURS = "ours"


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One metric key: the name that people read, how it is computed, and who defined it."""

    name: str
    formula: str
    source: str
    unit: str
    """``score`` is the unit of the curve itself, such as Dice; else ``epochs`` or ``count``."""
    higher_is_better: bool | None = False


DEFINITIONS: dict[str, Definition] = {
    "stability/max_drawdown": Definition(
        name="Maximum drawdown (MDD)",
        formula="max over t of D_t, where D_t = P_t − y_t and P_t is the best y up to epoch t",
        source=REPORT,
        unit="score",
    ),
    "stability/long_term_risk": Definition(
        name="Long-term risk across time (LRT), the conditional drawdown at risk",
        formula="mean of the largest 5 % of D_t, at least one value",
        source=f"{REPORT}; Chekhlov, Uryasev and Zabarankin, 2005",
        unit="score",
    ),
    "stability/short_term_risk": Definition(
        name="Short-term risk across time (SRT)",
        formula="mean of the smallest 5 % of d_t = y_t − y_(t−1), at least one value",
        source=REPORT,
        unit="score",
        higher_is_better=True,
    ),
    "stability/dispersion": Definition(
        name="Dispersion across time (DT)",
        formula="inter-quartile range of d_t = y_t − y_(t−1)",
        source=REPORT,
        unit="score",
    ),
    "stability/mean_abs_change": Definition(
        name="Mean absolute successive difference (MASD)",
        formula="mean of |d_t|, d_t = y_t − y_(t−1)",
        source="ordinary statistics",
        unit="score",
    ),
    "stability/dips": Definition(
        name="Number of dips",
        formula=(
            "epochs with median − y_t > 3 × 1.4826 × MAD over the window t ± 5 (cut off at the "
            "ends; repeated without those found until no more are) and D_t > 0.01"
        ),
        source=f"Hampel filter; the threshold on D_t is {OURS}",
        unit="count",
    ),
    "stability/longest_recovery": Definition(
        name="Longest recovery",
        formula=(
            "most epochs from a dip until y is back at P_t − 0.005; 0 without dips; a dip that "
            "never recovers counts to one past the last epoch, and is counted apart"
        ),
        source=OURS,
        unit="epochs",
    ),
    "stability/unrecovered_dips": Definition(
        name="Dips without recovery",
        formula="dips after which y never comes back to P_t − 0.005; above 0, the longest "
        "recovery is a lower bound",
        source=OURS,
        unit="count",
    ),
    "stability/checkpoint_luck": Definition(
        name="Best against typical",
        formula="best y − median of the last k epochs, k = max(3, n // 5)",
        source=OURS,
        unit="score",
    ),
    "seeds/dispersion": Definition(
        name="Dispersion across runs (DR)",
        formula="inter-quartile range over seeds, at each epoch",
        source=REPORT,
        unit="score",
    ),
    "seeds/risk": Definition(
        name="Risk across runs (RR)",
        formula="mean of the worst 5 % over seeds, at each epoch; below 20 seeds the worst seed",
        source=REPORT,
        unit="score",
        higher_is_better=True,
    ),
}
