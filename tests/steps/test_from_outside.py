"""What a new step and a new kind of layer take: a copy of the rooms with one added, and used."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def copied(folder):
    for room in ("roadmap", "steps"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def insert_line(path, line, *, before):
    """Put one line into a file in front of the first line that contains a text."""
    lines = path.read_text().splitlines(keepends=True)
    place = next(number for number, text in enumerate(lines) if before in text)
    path.write_text("".join([*lines[:place], f"{line}\n", *lines[place:]]))


def answer(folder, program):
    """Run a program on the copy and return the words that it prints."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_new_step_is_one_file_and_one_line(tmp_path):
    folder = copied(tmp_path)
    (folder / "steps" / "larger_stem.py").write_text(
        "from roadmap.edit import edit_network, network_of, replace\n"
        "from roadmap.spec import Spec\n\n"
        "def larger_stem(spec: Spec, kernel: int = 9) -> Spec:\n"
        '    """Use a larger kernel in the stem."""\n'
        "    return edit_network(spec, stem=replace(network_of(spec).stem, kernel=kernel))\n"
    )
    line = '        _step("larger_stem", "stem of {kernel}", "macro design"),'
    insert_line(folder / "steps" / "__init__.py", line, before='_step("gelu"')
    (folder / "mine.yaml").write_text(
        'base: {roadmap: tiny, row: "02"}\nrows:\n  - larger_stem: {kernel: 11}\n'
    )
    found = answer(
        folder,
        "from steps import STEPS\n"
        "from steps.roadmaps.load import load_roadmap\n"
        "row = load_roadmap('mine.yaml')['larger_stem']\n"
        "print(row.title, row.spec.network.stem.kernel)\n"
        "names = list(STEPS); print(names[names.index('gelu') - 1])\n",
    )
    assert found == ["stem of 11 11", "larger_stem"]


def test_a_new_norm_or_activation_is_one_line(tmp_path):
    folder = copied(tmp_path)
    for line in (
        '    SILU = ("silu", "activation", "silu", "SiLU", 0)',
        '    GROUP_NORM = ("group_norm", "norm", "group", "GroupNorm", 3)',
    ):
        insert_line(folder / "roadmap" / "kinds.py", line, before="    CONVOLUTION =")
    found = answer(
        folder,
        "from roadmap.cost import cost\n"
        "from roadmap.edit import edit_units, is_spatial\n"
        "from roadmap.text import lines\n"
        "from steps.roadmaps.load import load_roadmap\n"
        "spec = load_roadmap('tiny')['08'].spec\n"
        "changed = edit_units(spec, is_spatial, norm='group', activation='silu')\n"
        "print(lines(changed)[3])\n"
        "layers = cost(changed.network, 48).layers\n"
        "print({(str(each.layer.kind), each.params // each.layer.inputs[0])"
        " for each in layers if each.layer.kind in ('silu', 'group_norm')}"
        " == {('silu', 0), ('group_norm', 3)})\n",
    )
    assert found == [
        "block, unit 1: 7×7 depthwise, same width, group norm, silu",
        "True",
    ]
