"""The trackers that `--log` names, and the packages that they need; no torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.host.imports import missing_packages
from roadmap.errors import Problem, unknown

PROJECT = "modernization-roadmap"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Modules that a tracker imports, and how the user sees what it wrote; FOLDER is filled in."""

    modules: tuple[str, ...] = ()
    look: str


TRACKERS: Mapping[str, Needs] = {
    "tensorboard": Needs(modules=("tensorboard",), look="tensorboard --logdir FOLDER/tensorboard"),
    "wandb": Needs(modules=("wandb",), look="wandb sync FOLDER/wandb/offline-run-* (if offline)"),
    "mlflow": Needs(
        modules=("mlflow", "sqlalchemy", "alembic"),
        look="mlflow ui --backend-store-uri sqlite:///FOLDER/mlflow.db",
    ),
    "csv": Needs(look="FOLDER/csv has a metrics.csv for each run"),
}


def chosen_trackers(given: Sequence[str]) -> tuple[str, ...]:
    """Return the trackers named in options such as `tensorboard,csv`, each once.

    Raises Problem for an unknown name, for a name that is given twice, or for a missing package.
    """
    names = [name.strip() for text in given for name in text.split(",")]
    for number, name in enumerate(names):
        if name not in TRACKERS:
            raise unknown("tracker", name, TRACKERS)
        if name in names[:number]:
            raise Problem(f"--log {name} is given twice")
    check_packages(names)
    return tuple(names)


def check_packages(names: Sequence[str]) -> None:
    """Raise Problem if a package that one of these trackers needs is not installed."""
    for name in names:
        if missing := missing_packages(TRACKERS[name].modules):
            raise Problem(
                f"--log {name} needs {' and '.join(missing)}, which "
                f"{'is' if len(missing) == 1 else 'are'} not installed: "
                f'pip install "{PROJECT}[{name}]"'
            )
