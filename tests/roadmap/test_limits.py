"""Upper limits of every field and file, and messages that do not repeat what is endless."""

import dataclasses
import json
import os
import re
import time
from pathlib import Path

import pytest
import yaml

from roadmap.errors import Problem, escaped, quoted, shortened, unknown
from roadmap.override import override
from roadmap.record import read_record, read_records
from roadmap.spec import (
    Block,
    Convolution,
    Downsampling,
    Network,
    Operation,
    Recipe,
    Reference,
    Stage,
    Stem,
    from_dict,
    to_dict,
)
from roadmap.strict_yaml import scalar
from steps.roadmaps.load import load_roadmap
from steps.studies.load import load_study

PATH = load_roadmap("tiny")
NETWORK = PATH["13"].spec.network
RECIPE = PATH["01"].spec.recipe
OLD = Path(__file__).parents[2] / "results" / "tiny" / "07-move_up_depthwise-seed0.json"
ROADMAP = {
    "base": {"depths": [1, 1, 1, 1], "width": 8},
    "recipe": "tiny-old",
    "classes": 20,
    "rows": [{"gelu": None}],
}


def refused(path, data, load=load_roadmap):
    """The message about a file, which must come at once and be short."""
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    began = time.perf_counter()
    with pytest.raises(Problem) as found:
        load(path)
    assert time.perf_counter() - began < 10
    message = str(found.value)
    assert message.startswith(str(path)) and len(message) < 1000 and message.isprintable()
    return message


@pytest.mark.parametrize(
    ("thing", "without"),
    [
        (NETWORK, {"initialization"}),
        (NETWORK.stem, {"bias", "norm", "activation", "max_pool", "final_norm"}),
        (NETWORK.stages[0], set()),
        (NETWORK.stages[0].block, {"shortcut_norm", "activation"}),
        (NETWORK.stages[0].block.units[0], {"width", "depthwise", "bias", "norm", "activation"}),
        (Downsampling(), {"norm", "bias"}),
        (Reference(timm="resnet18"), set()),
        (
            RECIPE,
            {"optimizer", "schedule", "interpolation", "statistics", "decay_norms_and_biases"},
        ),
        (Operation(operation="shift"), {"build", "cost"}),
    ],
    ids=lambda thing: type(thing).__name__ if dataclasses.is_dataclass(thing) else "",
)
def test_every_field_of_a_spec_has_an_upper_limit(thing, without):
    """`without` names the fields of few values, which need no limit."""
    data = to_dict(thing)
    for field in dataclasses.fields(thing):
        if field.name in without:
            continue
        now = getattr(thing, field.name)
        for huge in (10**400, 1e300, "a" * 5_000_000, [1] * 5000, {"a" * 2000: 1}):
            if type(huge) is not type(now) and not isinstance(huge, int):
                continue  # the wrong type is another fault
            with pytest.raises(Problem) as found:
                from_dict(type(thing), data | {field.name: huge})
            assert len(str(found.value)) < 500
    for numbers in ("stages", "units", "betas", "crop_scale", "parameters"):
        if hasattr(thing, numbers):
            many = data.get(numbers, [0.5])
            many = dict.fromkeys(map(str, range(5000)), 1) if isinstance(many, dict) else many * 999
            with pytest.raises(Problem):
                from_dict(type(thing), data | {numbers: many})


@pytest.mark.parametrize("kind", [Convolution, Block, Stage, Stem, Network, Recipe])
def test_an_unknown_key_of_half_a_megabyte_is_not_repeated(kind):
    with pytest.raises(Problem) as found:
        from_dict(kind, {"k" * 500_000: 1})
    assert len(str(found.value)) < 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": {"depths": [100_000_000, 1, 1, 1], "width": 8}}, "less than or equal to 500"),
        ({"base": {"depths": [1] * 5000, "width": 8}}, "width"),
        ({"base": {"depths": [1, 1], "width": 10**9}}, "width"),
        ({"title": "a" * 201}, "title has 201 characters; at most 200"),
        ({"data": "a" * 5000}, "data has 5,000 characters"),
        ({"paper": "a" * 5000}, "paper has 5,000 characters"),
        ({"classes": 10**10}, "classes: input should be less than or equal to 1000000000"),
        ({"rows": [{"gelu": None}] * 201}, "rows must be a list of steps, at most 200"),
        ({"rows": [{"kernel_size": {"kernel": 10**9 + 1}}]}, "kernel: .*less than or equal"),
        ({"rows": [{"width": {"width": 10**30}}]}, "width"),
        ({"rows": [{"layer_scale": {"initial": 1e300}}]}, "layer_scale"),
        ({"rows": [{"gelu": None, "branches": {f"k{number}": {"gelu": None} for number in
                                               range(51)}}]}, "at most 50"),
        ({"rows": [{"gelu": None, "branches": {"k" * 9999: {"gelu": None}}}]}, "named as in k5"),
        ({"rows": [{"k" * 9999: None}]}, "unknown step"),
        ({"k" * 9999: None}, "unknown key"),
        ({"title": ["a" * 9999] * 99}, "title must be text"),
        ({"recipe": "r" * 9999}, "unknown recipe"),
    ],
)  # fmt: skip
def test_a_roadmap_beyond_the_limits_is_refused_at_once(changes, message, tmp_path):
    assert re.search(message, refused(tmp_path / "mine.yaml", ROADMAP | changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("design: path\ntitle: " + "a" * 201, "title: .*at most 200 characters"),
        ("design: path\nroadmap: " + "a" * 5000, "roadmap: .*at most 4096 characters"),
        ("design: path\nset: {" + ", ".join(f"recipe.{n}: 1" for n in range(201)) + "}", "set: "),
        ("design: sweep\nof: recipe.epochs\nvalues: [" + "1," * 201 + "]", "values: .*at most 200"),
        ("design: sweep\nvalues: [1, 2]\nof: " + "a" * 201, "of: .*at most 200"),
        ("design: grid\nsteps: [gelu, " + "a" * 201 + "]", "steps: .*at most 200"),
        ("design: orders\nseed: 1" + "0" * 30, "seed: "),
        ("design: " + "p" * 9999, "unknown design"),
    ],
)
def test_a_study_beyond_the_limits_is_refused_at_once(text, message, tmp_path):
    assert re.search(message, refused(tmp_path / "mine.yaml", text, load_study))


@pytest.mark.parametrize("load", [load_roadmap, load_study])
def test_a_file_of_five_megabytes_and_a_named_pipe_are_refused_at_once(load, tmp_path):
    message = refused(tmp_path / "large.yaml", "title: " + "a" * 5_000_000, load)
    assert "5,000,007 bytes are more than 1,000,000" in message
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(Problem, match=r"pipe\.yaml: .*not a regular file"):
        load(tmp_path / "pipe.yaml")


def test_a_file_of_half_a_million_values_is_refused_at_once(tmp_path):
    message = refused(tmp_path / "many.yaml", "rows: [" + "1," * 490_000 + "]")
    assert "more than 10,000 values" in message


def test_a_named_pipe_among_records_is_named_and_not_read(tmp_path):
    os.mkfifo(tmp_path / "record.json")
    (message,) = read_records(tmp_path).broken
    assert "record.json" in message and "not a regular file" in message


def test_a_record_with_a_huge_number_is_named_in_a_short_line(tmp_path):
    path = tmp_path / "record.json"
    for key, huge in (("epochs", 10**4000), ("epochs", "e" * 500_000)):
        data = json.loads(OLD.read_text())
        data["spec"]["recipe"][key] = huge
        path.write_text(json.dumps(data))
        with pytest.raises(Problem) as found:
            read_record(path)
        assert len(str(found.value)) < 500
    path.write_text('{"identity": {}, "spec": 1' + "0" * 500_000 + "}")
    with pytest.raises(Problem) as found:
        read_record(path)
    assert len(str(found.value)) < 500


@pytest.mark.parametrize("text", ["1" * 500_000, "a" * 500_000, "[" * 500_000])
def test_a_setting_of_half_a_megabyte_is_not_repeated(text):
    with pytest.raises(Problem) as found:
        override(PATH["13"].spec, {"recipe.epochs": scalar(text)})
    assert len(str(found.value)) < 500
    with pytest.raises(Problem) as found:
        override(PATH["13"].spec, {f"recipe.{text}": 1})
    assert len(str(found.value)) < 2000


def test_messages_are_one_short_line_without_control_characters():
    problem = Problem("a\nb\x1b[31mc\u202ed\u2028e" + "f" * 9999)
    assert str(problem).startswith("a\\nb\\x1b[31mc\\u202ed\\u2028e")
    assert len(str(problem)) < 4100 and str(problem).isprintable()
    assert str(Problem(str(problem))) == str(problem)  # a message within a message stays the same
    assert str(Problem("7×7, 0–3 → é 日本")) == "7×7, 0–3 → é 日本"


def test_quoted_values_are_short_and_read_as_python():
    assert [quoted(value) for value in ("a", 1.5, None, [1, "b"])] == ["'a'", "1.5", "None",
                                                                       "[1, 'b']"]  # fmt: skip
    assert len(quoted("a" * 500_000)) <= 80 and len(quoted([["a" * 999] * 99] * 99)) == 200
    assert quoted("\x1b") == "'\\x1b'" and escaped("\x1b") == "\\x1b"
    assert shortened("abc", 3) == "abc" and shortened("abcd", 3) == "ab…"
    assert "did you mean" not in str(unknown("row", "x" * 500_000, ["path"]))
