"""docs/files.md names every key there is, and its examples are what the program reads."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from analysis.verdicts.verdict import Verdict
from experiments.cluster.submission import Submission, SubmittedRun
from roadmap.spec import Recipe
from roadmap.tasks import Detection, Segmentation
from steps import STEPS
from steps.recipes.load import load_recipe
from steps.roadmaps.load import KEYS, load_roadmap
from steps.studies.designs import DESIGNS
from steps.studies.load import COMMON, load_study

ROOT = Path(__file__).parents[1]
FILES = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
PARTS = dict(zip(*[iter(re.split(r"^## (.*)$", FILES, flags=re.MULTILINE)[1:])] * 2, strict=True))


def named(part):
    """The words in code in the first column of a part's tables, and in a design's second."""
    rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \|", PARTS[part], re.MULTILINE)
    return {word for cells in rows for cell in cells for word in re.findall(r"`(\w+)`", cell)}


def test_every_key_of_each_file_is_named():
    assert set(KEYS) <= named("Roadmap")
    assert {field.name for field in dataclasses.fields(Recipe)} <= named("Recipe")
    own = {key for each in DESIGNS.values() for key in list(inspect.signature(each).parameters)[1:]}
    assert {*COMMON, *DESIGNS, *own} <= named("Study")


def test_every_step_is_named_with_its_parameters():
    rows = dict(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.*) \|$", PARTS["Roadmap"], re.MULTILINE))
    found = {name: text for names, text in rows.items() for name in re.findall(r"`(\w+)`", names)}
    for name, step in STEPS.items():
        for each in list(inspect.signature(step.function).parameters.values())[1:]:
            assert f"`{each.name}`" in found[name], name
            if isinstance(each.default, int | float):
                assert f"`{each.name}` ({each.default:g})".replace("1e-06", "1e-6") in found[name]
        assert (found[name] == "none") == (len(inspect.signature(step.function).parameters) == 1)


def test_every_field_of_a_verdict_is_named():
    assert {field.name for field in dataclasses.fields(Verdict)} <= set(
        re.findall(r"`(\w+)`", PARTS["Study"])
    )


def test_every_field_of_a_submission_is_named():
    fields = {
        field.name for each in (Submission, SubmittedRun) for field in dataclasses.fields(each)
    }
    assert fields <= set(re.findall(r"`(\w+)`", PARTS["Submission"]))


def test_defaults_of_a_recipe_are_as_written():
    recipe = PARTS["Recipe"].partition("### ")[0]
    rows = re.findall(r"^\| (`[^|]*) \| [^|]* \| ([^|]*) \|$", recipe, re.MULTILINE)
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    seen = set()
    for names, default in rows:
        names = re.findall(r"`(\w+)`", names)
        values = default.split(", ") if len(names) > 1 else [default]
        for name, value in zip(names, values, strict=True):
            seen.add(name)
            has = fields[name].default
            if value == "needed":
                assert has is dataclasses.MISSING, name
            else:
                assert value == written(has), name
    assert seen == set(fields)


@pytest.mark.parametrize("kind", [Detection, Segmentation])
def test_fields_of_a_task_are_named_with_their_defaults(kind):
    own = kind.__name__.lower()
    table = PARTS["Recipe"].partition(f"| key of {own} |")[2].partition("\n\n")[0]
    found = {}
    for names, default in re.findall(r"^\| (`[^|]*) \| [^|]* \| ([^|]*) \|$", table, re.MULTILINE):
        names = re.findall(r"`(\w+)`", names)
        defaults = default.split(", ") if len(names) > 1 else [default]
        found |= dict(zip(names, defaults, strict=True))
    fields = {field.name: field.default for field in dataclasses.fields(kind)}
    assert found == {
        name: "needed" if default is dataclasses.MISSING else written(default)
        for name, default in fields.items()
    }


def written(value):
    if isinstance(value, tuple):
        return f"[{', '.join(f'{each:g}' for each in value)}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value if isinstance(value, str) else f"{value:g}"


def test_the_examples_are_read(tmp_path, monkeypatch):
    blocks = {
        part: re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) for part, text in PARTS.items()
    }
    (tmp_path / "mine.yaml").write_text(blocks["Roadmap"][0])
    assert [row.number for row in load_roadmap(tmp_path / "mine.yaml")] == [
        "00", "01", "02", "02-w32", "03"
    ]  # fmt: skip
    (tmp_path / "study.yaml").write_text(blocks["Study"][0])
    assert len(load_study(tmp_path / "study.yaml").contrasts) == 3


def test_a_file_named_in_a_file_is_looked_for_from_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "deep"
    folder.mkdir()
    recipe = (ROOT / "steps" / "recipes" / "tiny-old.yaml").read_text()
    (folder / "short.yaml").write_text(recipe.replace("epochs: 5", "epochs: 4", 1))
    (folder / "mine.yaml").write_text(
        "base: {depths: [1, 1], width: 16}\nrecipe: short.yaml\nrows:\n"
        "  - training_recipe: {recipe: short.yaml}\n"
    )
    path = load_roadmap("deep/mine.yaml")
    assert [row.spec.recipe.epochs for row in path] == [4, 4]
    assert load_recipe("deep/short.yaml").epochs == 4
    (folder / "train").mkdir()
    (folder / "data.yaml").write_text((folder / "mine.yaml").read_text() + "data: train\n")
    assert load_roadmap("deep/data.yaml").data == "deep/train"
    (folder / "study.yaml").write_text("design: path\nroadmap: mine.yaml\n")
    assert load_study("deep/study.yaml").base.name == "mine"
    assert load_study("deep/study.yaml", roadmap="deep/mine.yaml").base.name == "mine"


PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "results/README.md",
]
LINKS = [
    (page.relative_to(ROOT), link)
    for page in PAGES
    for link in sorted(set(re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))))
]


@pytest.mark.parametrize(("page", "link"), LINKS, ids=str)
def test_links_lead_somewhere(page, link):
    assert (ROOT / page).parent.joinpath(link).exists()
