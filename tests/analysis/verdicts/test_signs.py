"""Sweeps of several rows say whether the sign of a step depends on the setting."""

import pytest

from analysis.verdicts.study import judge_study
from steps.studies.load import load_study

NOISE = (-0.3, 0.1, 0.2, -0.1, 0.1)


@pytest.mark.parametrize(
    ("gains", "note"),
    [
        ((9.0, 8.0), "08 against 01: better at all 2 values"),
        (
            (9.0, -8.0),
            "08 against 01: the sign depends on the setting: better at 0.001 and worse at 0.004",
        ),
        ((9.0, 0.05), "08 against 01: better at 0.001, undecided at the others"),
        ((0.2, -0.2), "08 against 01: undecided at all 2 values; both signs are seen"),
    ],
)
def test_the_sign_of_a_step_over_values(gains, note, tmp_path, invented):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "design: sweep\nroadmap: tiny\nof: recipe.learning_rate\nvalues: [1e-3, 4e-3]\n"
        "rows: ['01', '08']\nseeds: 5\nmargin: 0.01\n"
    )
    study = load_study(file)
    records = [
        invented.record(study.roadmap, f"{row}@{value}", seed, 60 + noise + shift)
        for value, gain in zip(("0.001", "0.004"), gains, strict=True)
        for row, shift in (("01", 0.0), ("08", gain))
        for seed, noise in enumerate(NOISE)
    ]
    assert note in judge_study(study, records).notes
    assert not any("against" in note for note in judge_study(load_study("path"), []).notes)
