"""Whether what a step is worth changes its sign with a setting, in a sweep of several rows."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.verdicts.verdict import Verdict
from steps.studies.contrast import Contrast

DECIDED = ("better", "worse")


def sign_notes(contrasts: Sequence[Contrast], verdicts: Sequence[Verdict]) -> list[str]:
    """Return one sentence for each question that is asked at several values.

    The sign depends on the setting if the step is better at one value and worse at another, both
    decided after the adjustment for all verdicts of the study.
    """
    questions = dict.fromkeys(contrast.question for contrast in contrasts if contrast.question)
    notes = []
    for question in questions:
        found = {
            contrast.at: verdict
            for contrast, verdict in zip(contrasts, verdicts, strict=True)
            if contrast.question == question and verdict.difference is not None
        }
        if len(found) > 1:
            notes.append(f"{question}: {_in_words(found)}")
    return notes


def _in_words(found: dict[str, Verdict]) -> str:
    at = {
        word: [value for value, verdict in found.items() if verdict.verdict == word]
        for word in DECIDED
    }
    known = {word: values for word, values in at.items() if values}
    listed = " and ".join(f"{word} at {', '.join(values)}" for word, values in known.items())
    if len(known) == 2:
        return f"the sign depends on the setting: {listed}"
    if len(known) == 1:
        ((word, values),) = known.items()
        if len(values) == len(found):
            return f"{word} at all {len(found)} values"
        return f"{listed}, undecided at the others"
    signs = {verdict.difference > 0 for verdict in found.values() if verdict.difference}
    seen = "both signs are seen" if len(signs) == 2 else "one sign is seen"
    return f"undecided at all {len(found)} values; {seen}"
