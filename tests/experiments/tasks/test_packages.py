"""A task whose package is missing is refused before anything is opened."""

import pytest

from experiments.host.machine import Machine
from experiments.request import Request
from experiments.settings import Settings
from experiments.tasks import packages
from roadmap.errors import Problem


@pytest.mark.parametrize(
    ("task", "package"),
    [("detection", "pycocotools"), ("segmentation", "segmentation_models_pytorch")],
)
def test_a_missing_package_is_named_before_images_are_decoded(monkeypatch, tmp_path, task, package):
    settings = Settings(roadmap=f"tiny:{task}", data="fractal-scenes", runs=tmp_path)
    request = Request(settings=settings, row="13", seed=0)
    request.check(Machine(threads=1, workers=0))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Problem, match=rf"{task} needs {package}: pip install '.*\[tasks\]'"):
        request.check(Machine(threads=1, workers=0))
    packages.check_packages("classification")
