"""A figure is drawn again only if it would differ."""

import pytest

from roadmap.cli.main import main
from roadmap.record import write_record

NAMES = ("cost-by-stage", "cost-by-kind")


@pytest.fixture
def plot(tmp_path, monkeypatch, capsys):
    """A function that plots the costs into one folder and returns the files that were drawn."""
    monkeypatch.chdir(tmp_path)
    out, drawn = tmp_path / "figures", []
    from roadmap.cli import plot as module

    whole = module.save
    monkeypatch.setattr(
        module,
        "save",
        lambda one, *more, **look: drawn.append(one.name) or whole(one, *more, **look),
    )

    def run(*given):
        drawn.clear()
        assert main(["plot", "cost", "--out", str(out), "--width", "one-column", *given]) == 0
        assert len(capsys.readouterr().out.split()) == 4 * len(NAMES)
        return tuple(drawn)

    return run


@pytest.mark.slow
def test_what_is_there_stays_and_what_would_differ_is_drawn(plot, tmp_path):
    assert plot() == NAMES
    assert plot() == ()
    (tmp_path / "figures" / "cost-by-kind.svg").write_text("edited")
    assert plot() == ("cost-by-kind",)
    (tmp_path / "figures" / "cost-by-stage.txt").unlink()
    assert plot() == ("cost-by-stage",)
    assert plot("--theme", "dark") == NAMES
    assert plot("--set", "network.stages.0.depth=3", "--theme", "dark") == NAMES
    (tmp_path / "figures" / ".drawn.json").write_text("{broken")
    assert plot() == NAMES


@pytest.mark.slow
def test_a_report_draws_a_figure_once(tmp_path, tiny, invented, monkeypatch):
    from analysis.report import pictures

    runs = tmp_path / "runs"
    runs.mkdir()
    for number in ("00", "01"):
        write_record(invented.record(tiny, number), runs / f"{number}.json")
    drawn = []
    whole = pictures.inline
    monkeypatch.setattr(
        pictures, "inline", lambda figure, name, *more, **look: drawn.append(name)
        or whole(figure, name, *more, **look),
    )  # fmt: skip
    given = ["report", "--runs", str(runs), "--out", str(tmp_path / "report")]
    assert main(given) == 0
    assert "roadmap" in drawn and len(set(drawn)) == len(drawn)
    first = (tmp_path / "report" / "report.html").read_text()
    drawn.clear()
    assert main(given) == 0
    assert drawn == [] and (tmp_path / "report" / "report.html").read_text() == first
    write_record(invented.record(tiny, "02"), runs / "02.json")
    assert main(given) == 0
    assert "roadmap" in drawn and "cost-by-stage" not in drawn
