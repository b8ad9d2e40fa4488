"""Every command in the guide is one that the command line takes."""

import dataclasses
import re
import shlex
from pathlib import Path

import pytest

from experiments.deploy.formats import FORMATS
from roadmap.cli.options import make_parser
from roadmap.record import StartWeights

GUIDE = (Path(__file__).parents[1] / "docs" / "guide.md").read_text(encoding="utf-8")
LINES = re.sub(r"\\\n\s+", "", GUIDE).splitlines()
COMMANDS = [
    line.strip().partition(" > ")[0] for line in LINES if re.match(r"(    )?roadmap [a-z]", line)
]


@pytest.mark.parametrize("command", [line for line in COMMANDS if "COMMAND" not in line])
def test_a_command_of_the_guide_is_parsed(command):
    words = shlex.split(command, comments=True)[1:]
    assert make_parser().parse_args(words).command


def test_the_guide_has_commands():
    assert len(COMMANDS) > 25


def test_the_guide_names_every_part_of_a_start_and_every_format():
    for name in (*(field.name for field in dataclasses.fields(StartWeights)), *FORMATS):
        assert f"`{name}`" in GUIDE, name
