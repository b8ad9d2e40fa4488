"""Where weights to start from come from: a finished run, a file, or timm's hub. No torch here."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from roadmap.errors import Problem, escaped
from roadmap.record import Record, read_record
from roadmap.spec import fingerprint
from roadmap.weight_checks import (
    Shapes,
    check_weight_file,
    file_fingerprint,
    is_safetensors,
    safetensors_shapes,
)
from roadmap.weight_layouts import of_backbone

if TYPE_CHECKING:
    from roadmap.weight_files import FileWeights

CHOICES = (
    "a finished run's folder or its name in --runs, a .safetensors or .pth file, or timm:NAME.tag"
)
MOST_NAMED = 5  # runs in a message
WEIGHTS, LAST = "weights.safetensors", "last.ckpt"  # of a finished run


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights that were found: their name for people, their file, and a hash of their content.

    `path` is a file or, if the weights are still in a checkpoint, the folder of a finished run. Of
    a detector or segmenter, only the backbone's weights are read.
    """

    name: str
    path: Path
    use_ema: bool
    fingerprint: str

    def read(self) -> FileWeights:
        """Return the weights. Raises Problem in one line if the file holds none."""
        from roadmap.weight_files import FileWeights, read_weight_file

        if self.path.is_dir():
            from experiments.training.weights import read_weights

            read = FileWeights(weights=read_weights(self.path)[1], averaged=False, both=False)
        else:
            read = read_weight_file(self.path, use_ema=self.use_ema)
        return replace(read, weights=of_backbone(read.weights))

    def shapes(self) -> Shapes:
        """Return the shape of each weight; a safetensors file is read without torch."""
        if self.path.is_file() and is_safetensors(self.path):
            return of_backbone(safetensors_shapes(self.path))
        return {name: tuple(tensor.shape) for name, tensor in self.read().weights.items()}


@lru_cache(maxsize=16)
def find_weights(source: str, runs: Path, *, use_ema: bool = False) -> Weights:
    """Find weights by the text given with --weights. Raises Problem that names the choices."""
    if source.startswith("timm:"):
        from experiments.weights.hub import fetch

        path, name = fetch(source.removeprefix("timm:")), source
    elif Path(source).is_dir() or _is_run(source, runs):
        folder = Path(source) if Path(source).is_dir() else runs / source
        return _of_run(folder, use_ema)
    elif Path(source).exists():
        path, name = Path(source), Path(source).name
        check_weight_file(path)
    else:
        raise Problem(
            f"--weights {escaped(source)} does not exist; valid: {CHOICES}{_finished(runs)}"
        )
    mark = file_fingerprint(path)
    mark = fingerprint([mark, "averaged"]) if use_ema else mark
    return Weights(name=name, path=path, use_ema=use_ema, fingerprint=mark)


def _is_run(source: str, runs: Path) -> bool:
    return re.fullmatch(r"[0-9a-f]{12}", source) is not None and (runs / source).is_dir()


def _finished(runs: Path) -> str:
    """Name some of the runs in a folder that have weights, the newest first."""
    folders = [path.parent for path in runs.glob("*/record.json") if _has_weights(path.parent)]
    folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    named = []
    for folder in folders[:MOST_NAMED]:
        with suppress(Problem):  # a broken record is no source, and not what was asked for
            named.append(f"{folder} ({_name(read_record(folder / 'record.json'))})")
    more = f", … ({len(folders)})" if len(folders) > MOST_NAMED else ""
    return f"; runs with weights: {escaped(', '.join(named))}{more}" if named else ""


def _has_weights(folder: Path) -> bool:
    return ".aside-" not in folder.name and any(
        (folder / name).is_file() for name in (WEIGHTS, LAST)
    )


def _name(record: Record) -> str:
    label = record.label
    return f"run {label.row} {label.step} seed {record.identity.seed} on {record.data['name']}"


def _of_run(folder: Path, use_ema: bool) -> Weights:
    """Return the validated weights of a finished run."""
    where = escaped(str(folder))
    if not (folder / "record.json").is_file():
        raise Problem(f"--weights {where} is no folder of a finished run: it has no record.json")
    record = read_record(folder / "record.json")
    if record.status != "finished":
        raise Problem(f"--weights {where}: the run diverged, so it has no weights to start from")
    if use_ema:
        raise Problem(
            "--use-ema is for files: a run's weights are those that were validated, the averaged "
            "ones if it has any"
        )
    name, path = _name(record), folder / WEIGHTS
    if path.is_file():
        mark = file_fingerprint(path)
    else:
        from experiments.training.weights import weights_fingerprint

        path, mark = folder, weights_fingerprint(folder)
    return Weights(name=name, path=path, use_ema=False, fingerprint=mark)
