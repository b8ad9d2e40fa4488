"""What a study concludes: verdicts, agreement with the paper, notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.measures import TOP1, Measure

ALPHA = 0.05
UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A judged contrast; differences are in the measure's unit, None is what runs cannot tell.

    `low` and `high` are the ends of the 95 % interval over seeds (for `orders`, over orders and
    seeds) and over validation images, by which the verdict is made. Its two parts are
    `seeds_low` to `seeds_high` and `images_low` to `images_high`. `p_alone` is the
    two-sided p of no difference. `p` is the same, adjusted by Holm over the study, and for the
    number of looks if seeds were added until decided. `better` is the probability that the true
    difference is an improvement, shrunk by what the other steps show. `smallest` is the minimum
    detectable effect: the smallest true difference that this many runs decide with 80 % power.
    `needed` is the number of runs per variant that decide the observed difference, `needed_low` to
    `needed_high` (None: above 1,000) that decide the differences in the 80 % interval. All use the
    first level of Holm's adjustment.
    `order_std` is how much the step's worth varies over orders beyond what seeds explain, and
    `order_p` the p of no such variation, adjusted by Holm. `diverged` counts the diverged runs of
    the variants that are added, `diverged_before` of those that are subtracted. `worst` is the
    difference with each of them as 0 %, if there are any. `adjusted_low` and `adjusted_high` are
    the ends of the interval at the level of Holm's test and of the looks: it excludes zero exactly
    if the step is better or worse, or undecided only because runs diverged.
    """

    step: str
    title: str
    group: str
    verdict: str
    n: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_alone: float | None = None
    p: float | None = None
    better: float | None = None
    smallest: float | None = None
    needed: int | None = None
    images_low: float | None = None
    images_high: float | None = None
    order_std: float | None = None
    order_p: float | None = None
    seeds_low: float | None = None
    seeds_high: float | None = None
    diverged: int = 0
    diverged_before: int = 0
    worst: float | None = None
    needed_low: int | None = None
    needed_high: int | None = None
    adjusted_low: float | None = None
    adjusted_high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Spearman's rank correlation with the paper, of rows or of what steps add; 95 % interval.

    Rows have no interval. Each row contains the rows before it, so they are no independent pairs.
    An interval for independent pairs would exclude zero far too often between unrelated paths.
    """

    of: str
    correlation: float
    low: float | None
    high: float | None
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdicts of a study, its agreement with the paper, and notes.

    `margin` is the smallest difference that matters, 0 if the study sets none for the measure.
    `asks` says what a difference subtracts from what, `recipe` how the runs were trained.
    `by_order` is what a step added in each sampled order, for a study of orders. `new_images` says
    that verdicts hold for other validation images too, not only given those that were used.
    `numbers` are the roadmap's row numbers by step.
    """

    name: str
    title: str
    data: str | None
    margin: float
    asks: str
    verdicts: tuple[Verdict, ...]
    agreements: tuple[Agreement, ...] = ()
    notes: tuple[str, ...] = ()
    recipe: str = ""
    measure: Measure = TOP1
    by_order: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    new_images: bool = False
    numbers: Mapping[str, str] = field(default_factory=dict)

    @property
    def over(self) -> str:
        """What the intervals are over, in words."""
        source = "orders and seeds" if self.by_order else "seeds (Welch)"
        if self.new_images:
            return f"{source} and over validation images"
        given = (
            ", given these validation images"
            if self.measure.of_images or self.measure.scores
            else ""
        )
        return f"{source}{given}"
