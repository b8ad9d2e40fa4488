"""A study as a value: variants of a roadmap and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from roadmap.rows import Roadmap
from steps.studies import paths
from steps.studies.contrast import Contrast, step_names


@dataclass(frozen=True, kw_only=True)
class Study:
    """Variants of a roadmap, as a roadmap of their own, to be trained with `seeds` seeds each.

    `base` is the roadmap that is varied, with the study's settings. `margin` is the smallest
    difference that matters, in the unit of the measure's differences: for top-1, points. `asks`
    says what a verdict subtracts from what. `left_out` has the reason why a step has no variant.
    The file declares the analysis before there are runs: `paired` compares runs of the same seed,
    `variances` are each row's own (`welch`) or `moderated` by those of all rows.
    """

    design: str
    roadmap: Roadmap
    base: Roadmap
    seeds: int
    margin: float
    contrasts: tuple[Contrast, ...]
    asks: str
    left_out: Mapping[str, str]
    paired: bool = False
    variances: str = "welch"

    @property
    def name(self) -> str:
        """The study's name, that of its file."""
        return self.roadmap.name

    @property
    def numbers(self) -> dict[str, str]:
        """The number of the roadmap's row for each step that contrasts ask about."""
        changes = [row for row in self.base if row.before and not row.is_branch]
        steps = {step: number for number, step in step_names(changes).items()}
        steps |= {row.number: row.number for row in self.base}
        return {one.step: steps[one.step] for one in self.contrasts if one.step in steps}

    @property
    def path(self) -> Study:
        """The study of the path through the same roadmap."""
        title, made = f"path: {self.base.title}", paths.path(self.base)
        return replace(
            self,
            design="path",
            roadmap=replace(self.base, name="path", title=title),
            contrasts=made.contrasts,
            asks=made.asks,
            left_out={},
        )


def distinct(contrast: Contrast, path: Roadmap) -> Contrast:
    """Return the contrast with equal specs under one number; weights that cancel out are gone."""
    first: dict[str, str] = {}
    same = {row.number: first.setdefault(row.spec.fingerprint, row.number) for row in path}
    parts = []
    for part in contrast.parts:
        merged: dict[str, float] = {}
        for number, weight in part.items():
            merged[same[number]] = merged.get(same[number], 0.0) + weight
        parts.append({number: weight for number, weight in merged.items() if weight})
    return replace(contrast, parts=tuple(parts))
