"""Which packages a task needs, checked before torch is loaded and before images are decoded."""

from __future__ import annotations

from experiments.host.imports import missing_packages
from roadmap.errors import Problem
from roadmap.tasks import TaskName

NEEDED: dict[TaskName, tuple[str, ...]] = {
    "detection": ("pycocotools",),
    "segmentation": ("segmentation_models_pytorch",),
}


def check_packages(task: TaskName) -> None:
    """Raise Problem that says what to install, if a package of the task is missing."""
    for package in missing_packages(NEEDED.get(task, ())):
        raise Problem(f"{task} needs {package}: pip install 'modernization-roadmap[tasks]'")
