"""The wheel works outside the checkout, and the project's files agree with each other."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import yaml
from PIL import Image

import roadmap

ROOT = Path(__file__).parents[1]
ROOMS = ("roadmap", "steps", "experiments", "analysis")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which the wheel was installed, without its dependencies."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ROOMS:
        shutil.copytree(ROOT / name, source / name)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir"]
    plain = ["--quiet", "--no-deps", "--no-index"]
    wheels = source / "wheels"
    for arguments in (
        ["wheel", ".", "--no-build-isolation", "--wheel-dir", wheels],
        ["install", "--target", target, "modernization-roadmap", "--find-links", wheels],
    ):
        subprocess.run([*pip, *arguments, *plain], cwd=source, check=True)
    return target


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with a few images, and a steps.py that must not hide the package `steps`."""
    (tmp_path / "steps.py").write_text("raise RuntimeError('this is another steps')\n")
    draws = numpy.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("a", "b"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for number in range(16):
                pixels = draws.integers(0, 256, (16, 16, 3), dtype=numpy.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path


@pytest.mark.slow
def test_the_wheel_works_outside_the_checkout(installed, elsewhere):
    def output(*command):
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        done = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    program, module = [installed / "bin" / "roadmap"], [sys.executable, "-m", "roadmap"]
    code = "import analysis, experiments, roadmap, steps; print(roadmap.__file__)"
    assert output(sys.executable, "-P", "-c", code).startswith(str(installed))
    assert output(*program, "--version") == f"roadmap {roadmap.__version__}\n"
    assert "separate downsampling" in output(*program, "cost") == output(*module, "cost")
    small = ["--set", "recipe.epochs=1", "--set", "recipe.image_size=32", "--set", "recipe.batch=8"]
    given = ["--data", "images", *small, "--threads", "1", "--workers", "0"]
    assert re.search(r"^13 .*\(1\)", output(*program, "train", "13", *given), re.MULTILINE)
    for name in ROOMS:
        assert (installed / name / "py.typed").exists()
    kinds = ("steps/*/*.yaml", "steps/*/*.csv")
    files = {path.relative_to(ROOT) for kind in kinds for path in ROOT.glob(kind)}
    assert files and all((installed / path).exists() for path in files)
    assert "verdict" in output(*program, "verdicts", "paper")
    output(*program, "report", *given[:8], "--out", "report")
    assert (elsewhere / "report" / "report.html").exists()


def test_the_version_is_written_once_and_cited():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == roadmap.__version__
    assert "attr: roadmap.__version__" in (ROOT / "setup.cfg").read_text()
    assert f"## {roadmap.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_contributing_and_hooks_name_targets_that_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert {"setup", "test", "test-fast", "lint"} <= set(re.findall(r"`?make ([a-z-]+)", text))
    assert set(re.findall(r"`?make ([a-z-]+)", text)) <= targets
    for path in re.findall(r"`((?:roadmap|steps|analysis|tests)/[\w/.]*)`", text):
        assert (ROOT / path).exists(), path
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks] == ["ruff", "ruff-format", "mypy"]


def test_the_menu_fits_80_columns():
    menu = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert max(map(len, menu.splitlines())) <= 80
    assert {"test", "test-fast", "golden", "bench-gpu", "lint"} <= set(
        re.findall(r"make ([a-z-]+)", menu)
    )
