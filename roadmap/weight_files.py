"""Read weights from safetensors files and those of torch.save; reading executes no code."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from roadmap.weight_checks import check_weight_file, is_safetensors, unreadable

# Where a file keeps weights: the key, and whether they are an average over training. The first
# that is there counts. A key of "" is the file itself.
RAW = ("state_dict", "model", "model_state_dict", "")
AVERAGED = ("state_dict_ema", "model_ema")
MOST_TIMES = 4  # numbers of a file, by its bytes: tied weights are stored once
# Prefixes that wrappers add to every name: DistributedDataParallel, torch.compile, Lightning.
WRAPPERS = ("module.", "_orig_mod.", "network.", "model.")
OUR_AVERAGE = "averaged.module."  # in a checkpoint of this project


@dataclass(frozen=True, kw_only=True)
class FileWeights:
    """Weights by name; `averaged` says whether they are an average over training.

    `both` is True if the file has raw and averaged weights, so that one of them was not taken.
    """

    weights: dict[str, Tensor]
    averaged: bool
    both: bool

    @property
    def taken(self) -> str:
        """Which weights these are, in words; empty if the file has only raw ones."""
        if not self.both:
            return "averaged weights" if self.averaged else ""
        one, other = ("averaged", "raw") if self.averaged else ("raw", "averaged")
        return f"{one} weights (the file has {other} ones too)"


def read_weight_file(path: Path, *, use_ema: bool = False) -> FileWeights:
    """Return the raw weights of a file, or with `use_ema` the averaged ones.

    A file that has only one of the two gives it. Raises Problem in one line if the file has no
    weights by name, or if `use_ema` asks for an average that it lacks.
    """
    content = _content(path)
    sets = {
        averaged: found
        for averaged, found in ((False, _raw(content)), (True, _averaged(content)))
        if found
    }
    if not sets:
        raise unreadable(path, _held(content))
    if use_ema and True not in sets:
        raise unreadable(path, "holds no averaged weights; leave out --use-ema")
    averaged = use_ema or False not in sets
    _check_tensors(path, sets[averaged])
    weights = {name: tensor.detach().contiguous() for name, tensor in sets[averaged].items()}
    return FileWeights(weights=weights, averaged=averaged, both=len(sets) > 1)


def _check_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise Problem for tensors without plain numbers, or with more numbers than the file holds."""
    for name, tensor in tensors.items():
        plain = tensor.layout == torch.strided and not (tensor.is_quantized or tensor.is_meta)
        if not plain or tensor.is_complex():
            kind = "without data" if tensor.is_meta else f"{tensor.layout}, {tensor.dtype}"
            raise unreadable(path, f"holds a tensor that is no plain one: {name} ({kind})")
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if needed > MOST_TIMES * (size := path.stat().st_size):
        raise unreadable(path, f"is damaged: its tensors need {needed:,} bytes, it has {size:,}")


def _content(path: Path) -> Any:
    """Return what a file holds."""
    check_weight_file(path)
    with path.open("rb") as file:
        pickled = file.read(1) == b"\x80"
    try:
        if is_safetensors(path):
            return load_file(path)
        if zipfile.is_zipfile(path) or pickled:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of tensors and pickles that are refused anyway
                return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as fault:
        raise unreadable(path, _refused(str(fault))) from None
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError, OSError) as fault:
        reason = (str(fault).splitlines() or [type(fault).__name__])[0]
        raise unreadable(path, f"is damaged: {reason}") from None
    raise unreadable(path, "is neither a safetensors file nor one of torch.save")


def _refused(fault: str) -> str:
    """Say in a line why torch does not unpickle a file."""
    if match := re.search(r"GLOBAL ([\w.]+)", fault):
        return (
            f"holds a pickled object of {match[1]}, as of a whole module, not weights by name; "
            "save module.state_dict() instead"
        )
    return "is damaged, or holds more than weights by name"  # torch's advice is to execute it


def _raw(content: Any) -> dict[str, Tensor]:
    for key in RAW:
        found = _tensors(content if not key else _at(content, key))
        raw = {name: tensor for name, tensor in found.items() if not name.startswith("averaged.")}
        if raw:
            return _unwrapped(raw)
    return {}


def _averaged(content: Any) -> dict[str, Tensor]:
    for key in AVERAGED:
        if found := _tensors(_at(content, key)):
            return _unwrapped(found)
    own = _tensors(_at(content, "state_dict"))
    return {
        name.removeprefix(OUR_AVERAGE): tensor
        for name, tensor in own.items()
        if name.startswith(OUR_AVERAGE)
    }


def _at(content: Any, key: str) -> Any:
    return content.get(key) if isinstance(content, Mapping) else None


def _tensors(found: Any) -> dict[str, Tensor]:
    """Return the tensors of a mapping from names to tensors; nothing for any other content."""
    if not isinstance(found, Mapping):
        return {}
    return {
        name: tensor
        for name, tensor in found.items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    }


def _unwrapped(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove prefixes that all names have in common."""
    while prefix := next(
        (each for each in WRAPPERS if all(name.startswith(each) for name in weights)), ""
    ):
        weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return weights


def _held(content: Any) -> str:
    """Say what a file without weights holds."""
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        return f"holds {'an' if kind[0] in 'aeiou' else 'a'} {kind}, not weights by name"
    keys = ", ".join(str(key) for key in list(content)[:5])
    return f"holds no weights by name; its keys are: {keys or 'none'}"
