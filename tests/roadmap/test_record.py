"""What a record keeps of a receptive field, and what it refuses."""

import base64
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from roadmap.errors import Problem
from roadmap.receptive_field import ReceptiveField
from roadmap.record import Asked, read_record, read_records, write_record
from roadmap.spec import from_dict, to_dict

OLD = Path(__file__).parents[2] / "results" / "tiny" / "07-move_up_depthwise-seed0.json"


def packed(*values):
    return base64.b64encode(struct.pack(f"<{len(values)}e", *values)).decode()


def with_field(folder, field):
    """A committed record to which a receptive field was given."""
    path = folder / "record.json"
    path.write_text(json.dumps(json.loads(OLD.read_text()) | {"receptive_field": field}))
    return path


def test_shares_keep_three_digits_over_eight_powers_of_ten():
    shares = [
        [10.0**-power for power in range(3)],
        [10.0**-power for power in range(3, 6)],
        [1e-6, 1e-7, 1e-8],
    ]
    kept = ReceptiveField.of(shares, pixels=4)
    total = sum(map(sum, shares))
    assert sum(map(sum, kept.shares)) == pytest.approx(1)
    for row, its in zip(shares, kept.shares, strict=True):
        assert its == pytest.approx([each / total for each in row], rel=5e-4)
    assert kept.side == 12


def test_the_scale_of_a_gradient_does_not_matter():
    assert ReceptiveField.of([[1e-30, 3e-30], [0, 2e-30]], 1) == ReceptiveField.of(
        [[1, 3], [0, 2]], 1
    )


@pytest.mark.parametrize("shares", [[[0.0]], [[float("nan")]], [[float("inf")]]])
def test_no_field_is_made_of_a_gradient_that_is_none(shares):
    with pytest.raises(ValueError, match="the largest gradient is"):
        ReceptiveField.of(shares, pixels=4)


def test_a_record_keeps_its_field(tmp_path):
    path = with_field(tmp_path, {"pixels": 4, "cells": packed(1, 2, 3, 10)})
    found = read_record(path)
    assert found.receptive_field.shares == ((1 / 16, 2 / 16), (3 / 16, 10 / 16))
    write_record(found, tmp_path / "again.json")
    assert read_record(tmp_path / "again.json") == found


def test_an_older_record_has_none_and_is_written_as_it_was(tmp_path):
    found = read_record(OLD)
    assert found.receptive_field is None
    write_record(found, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == OLD.read_bytes()


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"pixels": 4, "cells": "no!"}, "cells must be base64"),
        ({"pixels": 4, "cells": packed(1, 2, 3, 4) + "\n"}, "cells must be base64"),
        ({"pixels": 4, "cells": ""}, "cells has 0 bytes, not two for each cell of a square"),
        ({"pixels": 4, "cells": packed(1, 2, 3)}, "cells has 6 bytes, not two"),
        ({"pixels": 4, "cells": packed(1, 2, 3, 4)[:-4]}, "cells has 6 bytes, not two"),
        ({"pixels": 4, "cells": packed(1, 2, 3, float("nan"))}, "must be numbers of 0 or more"),
        ({"pixels": 4, "cells": packed(1, 2, 3, float("inf"))}, "must be numbers of 0 or more"),
        ({"pixels": 4, "cells": packed(1, 2, 3, -1)}, "must be numbers of 0 or more"),
        ({"pixels": 4, "cells": packed(0, 0, 0, 0)}, "not all of them 0"),
        ({"pixels": 0, "cells": packed(1)}, "receptive_field.pixels"),
        ({"pixels": 4}, "'receptive_field.cells' is missing"),
        ("many", "receptive_field"),
    ],
)
def test_a_broken_field_is_one_problem_that_names_the_file(field, message, tmp_path):
    path = with_field(tmp_path, field)
    with pytest.raises(Problem) as refused:
        read_record(path)
    text = str(refused.value)
    assert text.startswith(f"{path}: not a record: ") and "\n" not in text
    assert "receptive_field" in text and message in text


@pytest.mark.parametrize("text", ["[1]", '{"found": {}}', '"words"'])
def test_what_has_nothing_of_a_record_is_passed_over(text, tmp_path):
    (tmp_path / "other.json").write_text(text)
    assert read_records(tmp_path).broken == ()


@pytest.mark.parametrize("text", ["", "{", '{"identity": {}}', '{"spec": 1, "top1": 3}'])
def test_what_may_have_been_a_record_is_named(text, tmp_path):
    (tmp_path / "torn.json").write_text(text)
    (message,) = read_records(tmp_path).broken
    assert str(tmp_path / "torn.json") in message


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("roadmap run path", (None, False, None, None)),
        ("roadmap run --seeds 3 --branches", (None, False, 3, None)),
        ("roadmap run path --until-decided --seeds=2 --max-seeds 5", (None, True, 2, 5)),
        ("roadmap train 05 --data 'my images/a'", ("my images/a", False, None, None)),
        ("roadmap train 05 --data=flowers --seed 1", ("flowers", False, None, None)),
        ("roadmap run --data it's --seeds many", ("it's", False, None, None)),
        ("roadmap run --seeds 99999999 --data", (None, False, None, None)),
        ("", (None, False, None, None)),
    ],
)
def test_an_old_command_tells_what_was_asked(command, asked):
    data, until_decided, first_seeds, most_seeds = asked
    assert Asked.of_command(command) == Asked(
        data=data,
        until_decided=until_decided,
        first_seeds=first_seeds,
        most_seeds=most_seeds,
        derived=True,
    )


def old_data(command):
    """The word after --data, as the report read it before records kept it."""
    words = command.replace("--data=", "--data ").split()
    place = words.index("--data") + 1 if "--data" in words else len(words)
    return " ".join(words[place : place + 1]) or None


def old_number(words, option):
    """A number of seeds, as verdicts read it before records kept it."""
    given = words[words.index(option) + 1] if option in words[:-1] else ""
    return int(given) if given.isdecimal() and len(given) < 7 else None


def test_facts_derived_from_committed_records_are_those_of_the_earlier_rules():
    paths = OLD.parents[1].glob("*/*-seed*.json")
    found = [read_record(path) for path in paths if '"asked"' not in path.read_text()]
    assert len(found) > 200
    for record in found:
        command, asked = record.provenance.command, record.asked
        words = command.replace("=", " ").split()
        assert asked.derived and asked.data == old_data(command)
        assert asked.until_decided == ("--until-decided" in words)
        assert asked.first_seeds == old_number(words, "--seeds")
        assert asked.most_seeds == old_number(words, "--max-seeds")


def test_what_a_new_run_asked_is_written_and_what_was_derived_is_not(tmp_path):
    found = read_record(OLD)
    assert "asked" not in to_dict(found)
    asked = Asked(data="flowers", until_decided=True, first_seeds=2)
    write_record(replace(found, asked=asked), tmp_path / "new.json")
    assert json.loads((tmp_path / "new.json").read_text())["asked"] == {
        "data": "flowers",
        "until_decided": True,
        "first_seeds": 2,
        "most_seeds": None,
    }
    assert read_record(tmp_path / "new.json").asked == asked


def test_a_torn_record_is_told_from_one_with_a_wrong_field(tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(OLD.read_bytes()[:100])
    with pytest.raises(Problem, match=r"record\.json: not readable as a record: Invalid JSON"):
        read_record(path)
    path.write_text(json.dumps(json.loads(OLD.read_text()) | {"macs": "many"}))
    with pytest.raises(Problem, match=r"record\.json: not a record: macs: "):
        read_record(path)


def test_a_word_that_is_no_unicode_text_is_no_plain_value():
    with pytest.raises(Problem, match="is no plain value"):
        from_dict(str, "\ud800")


def with_task(folder, task, **fields):
    """A committed record whose recipe has another task; it lost its accuracies."""
    text = json.loads(OLD.read_text()) | {"top1": None, "top5": None, "correct": ""}
    text["spec"]["recipe"]["task"] = task
    path = folder / "record.json"
    path.write_text(json.dumps(text | fields))
    return path


@pytest.mark.parametrize(
    ("task", "key"), [({"detection": "mask_rcnn"}, "box_ap"), ({"segmentation": "fpn"}, "miou")]
)
def test_a_run_of_another_task_has_its_number_instead_of_top1(task, key, tmp_path):
    found = read_record(with_task(tmp_path, task, metrics={key: 23.4}))
    assert found.task in task
    assert found.main == 23.4 and found.top1 is None
    write_record(found, tmp_path / "again.json")
    assert read_record(tmp_path / "again.json") == found
    with pytest.raises(Problem, match=f"a finished run must have metrics.{key}"):
        read_record(with_task(tmp_path, task, metrics={"loss": 1.0}))


def test_a_classifier_must_have_top1(tmp_path):
    assert read_record(OLD).main == read_record(OLD).top1
    with pytest.raises(Problem, match="a finished run must have top1"):
        read_record(with_task(tmp_path, None, metrics={"box_ap": 23.4}))


@pytest.mark.parametrize("task", ["detection", {"tracking": 1}, 3])
def test_an_unknown_task_is_one_problem(task, tmp_path):
    with pytest.raises(Problem, match=r"spec.recipe.task must be detection or segmentation"):
        read_record(with_task(tmp_path, task, metrics={"box_ap": 23.4}))
