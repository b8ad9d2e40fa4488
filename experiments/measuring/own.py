"""Measures from a user's own file."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from roadmap.errors import Problem, quoted
from roadmap.user_file import run_file

MOST_LABEL, MOST_UNIT = 80, 20  # characters
FORMS = {  # by the names of parameters: what a function gets
    ("logits", "labels"): "logits",
    ("network",): "network",
    ("network", "batches"): "batches",
}
Kind = Literal["logits", "network", "batches"]


@dataclass(frozen=True, kw_only=True)
class Own:
    """A user's function; `source` is the fingerprint of the file that it is in."""

    name: str
    function: Callable[..., Any]
    gets: Kind
    source: str

    @property
    def label(self) -> str:
        """Its name in tables: the function's attribute `label`, else its own name."""
        return self._text("label", self.name.replace("_", " "), MOST_LABEL)

    @property
    def unit(self) -> str:
        """The function's attribute `unit`, else nothing."""
        return self._text("unit", "", MOST_UNIT)

    def _text(self, key: str, default: str, most: int) -> str:
        """Return an attribute of the function. Raises Problem if it is no short line of text."""
        text = getattr(self.function, key, default)
        if not isinstance(text, str) or len(text) > most or not text.isprintable():
            raise Problem(
                f"measure {self.name}: {key} is {quoted(text)}, not printable text of at most "
                f"{most} characters"
            )
        return text

    @property
    def better(self) -> Literal["higher", "lower"]:
        """The function's attribute `better`, else higher. Raises Problem for another word."""
        word = getattr(self.function, "better", "higher")
        if word == "lower":
            return "lower"
        if word != "higher":
            raise Problem(f"measure {self.name}: better is {quoted(word)}, not 'higher' or 'lower'")
        return "higher"

    def call(self, *given: Any) -> Any:
        """Return the function's result: a number, or a tensor with one number per image.

        Raises Problem if it fails or returns something else.
        """
        import torch

        try:
            made = torch.as_tensor(self.function(*given)).detach().cpu()
            result = made.real.to_dense().double()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # any exception of the user's code
            raise Problem(f"measure {self.name} fails: {type(error).__name__}: {error}") from error
        if made.is_complex() or not made.numel():
            raise Problem(
                f"measure {self.name} must return a number; it returned {made.numel()} of "
                f"{made.dtype}"
            )
        if result.dim() > 1 or not math.isfinite(float(result.sum())):
            raise Problem(
                f"measure {self.name} must return a finite number, or one per image; it returned "
                f"a tensor of shape {tuple(result.shape)}" + " with inf or nan" * (result.dim() < 2)
            )
        return result


def read_measures(path: Path) -> list[Own]:
    """Return the measures in a user's Python file: its public functions of a known form.

    This executes the file, so only a file that the user names is read. Raises Problem.
    """
    module = run_file(path, "measures")
    source = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    found = []
    for name, member in vars(module).items():
        mine = inspect.isfunction(member) and member.__module__ == module.__name__
        if not mine or name.startswith("_"):
            continue
        if len(name) > MOST_LABEL:
            raise Problem(f"measures file {path}: the name of {quoted(name)} is too long")
        gets = FORMS.get(tuple(inspect.signature(member).parameters))
        if gets is not None:
            own = Own(name=name, function=member, gets=gets, source=source)  # type: ignore[arg-type]
            _ = (
                own.better,
                own.label,
                own.unit,
            )  # refuses a wrong one at once
            found.append(own)
    if not found:
        forms = " or ".join(f"({', '.join(names)})" for names in FORMS)
        raise Problem(f"measures file {path} has no public function with parameters {forms}")
    return found
