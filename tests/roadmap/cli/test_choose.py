"""`roadmap run` with a choice: all candidates with one seed, then the chosen ones."""

import pytest

from experiments.data.fractals import ScatteredFractals
from experiments.data.sources import read_source
from roadmap.cli.main import main
from roadmap.record import read_records

STUDY = """
design: path
roadmap: small
seeds: 2
set: {recipe.epochs: 1, recipe.batch: 8, network.stages.all.depth: 1}
choose: {recipe.learning_rate: [x0.5, x1]}
"""


@pytest.fixture
def few_images(monkeypatch):
    """The data set fractals-2 with 24 training images."""
    few = ScatteredFractals(categories=3, train=8, val=4, select=4)
    monkeypatch.setattr(ScatteredFractals, "read", classmethod(lambda cls, name, root: few))
    read_source.cache_clear()
    yield few
    read_source.cache_clear()


@pytest.mark.slow
def test_other_seeds_train_at_the_chosen_value_only(few_images, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ROADMAP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine.yaml").write_text(STUDY)
    runs = tmp_path / "runs"
    options = [str(tmp_path / "mine.yaml"), "--rows", "00,05", "--jobs", "1", "--threads", "1"]
    assert main(["run", *options, "--runs", str(runs)]) == 0
    records = read_records(runs).records
    seeds = {}
    for record in records:
        seeds.setdefault(record.label.row, []).append(record.identity.seed)
        assert {"train_top1", "select_top1"} <= set(record.metrics)
        assert record.data["select"] == 12
    assert set(seeds) == {"00@0.05", "00@0.1", "05@0.002", "05@0.004"}
    assert sorted(map(len, seeds.values())) == [1, 1, 2, 2]
    best = {
        row: max(
            (record for record in records if record.label.row.startswith(row)),
            key=lambda record: record.metrics["select_top1"] if not record.identity.seed else 0,
        ).metrics["select_top1"]
        for row in ("00", "05")
    }
    for record in records:
        if record.identity.seed == 1:
            first = next(
                other
                for other in records
                if other.label.row == record.label.row and other.identity.seed == 0
            )
            assert first.metrics["select_top1"] == best[record.label.row[:2]]
    trained = capsys.readouterr().err
    assert main(["run", *options, "--runs", str(runs)]) == 0  # all are finished
    assert "epoch 1/1" in trained and "epoch 1/1" not in capsys.readouterr().err


def test_data_without_a_select_split_is_refused_before_training(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(STUDY.replace("small", "tiny"))
    assert main(["run", str(tmp_path / "mine.yaml"), "--runs", str(tmp_path)]) == 2
    assert "a split 'select', which data 'fractals' lacks" in capsys.readouterr().err
