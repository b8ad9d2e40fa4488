"""What a step is: a named, explained function Spec → Spec with typed parameters."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pydantic

from roadmap.edit import edit_units
from roadmap.errors import Problem, StepError, unknown
from roadmap.spec import Operation, Spec, from_dict, problem_of


@dataclass(frozen=True)
class Step:
    """A step's function with its title and its design group in the paper's Figure 2.

    The title may name parameters: `kernel size {kernel}`. `source` fingerprints the file of a
    user's own step; it is empty for a shipped step.
    """

    function: Callable[..., Spec]
    title: str
    group: str
    source: str = ""

    @property
    def name(self) -> str:
        """The name used in files, on the command line, in tables and in figures."""
        return self.function.__name__

    @property
    def explanation(self) -> str:
        """What the step does and why."""
        return inspect.getdoc(self.function) or ""

    def bind(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the typed parameters of one use, with defaults; a Problem names what is wrong."""
        signature = list(inspect.signature(self.function).parameters.values())[1:]
        try:
            hints = typing.get_type_hints(self.function)
        except NameError as error:
            raise Problem(
                f"step {self.name!r}: an annotation uses an undefined name: {error}"
            ) from None
        names = [parameter.name for parameter in signature]
        for name in parameters:
            if name not in names:
                raise unknown(f"parameter of step {self.name!r}:", name, names)
        bound = {}
        for parameter in signature:
            name = parameter.name
            if name in parameters:
                bound[name] = self._typed(name, hints.get(name, Any), parameters[name])
            elif parameter.default is inspect.Parameter.empty:
                raise Problem(f"step {self.name!r} needs the parameter {name!r}")
            else:
                bound[name] = parameter.default
        return bound

    def _typed(self, name: str, hint: Any, given: Any) -> Any:
        if hint is Any or type(given) is hint:
            return given
        try:
            return from_dict(hint, given)
        except Problem as problem:
            text = f"parameter {name!r} of step {self.name!r}: {problem}"
            raise Problem(text, keys=(name, *problem.keys)) from None
        except pydantic.PydanticSchemaGenerationError:
            raise Problem(
                f"parameter {name!r} of step {self.name!r} has the type {hint}; valid: int, float, "
                f"str, bool, and tuples and unions of these"
            ) from None

    def apply(self, spec: Spec, **parameters: Any) -> Spec:
        """Return the spec after this step; `spec` itself is not changed.

        Raises StepError if the step makes no sense for this spec, and names what it needs.
        """
        bound = self.bind(parameters)
        try:
            changed = self.function(spec, **bound)
        except pydantic.ValidationError as error:
            raise StepError(f"step {self.name!r}: {problem_of(error, None)}") from None
        except Problem:
            raise
        except (Exception, SystemExit) as error:
            if not self.source:
                raise
            raise StepError(f"step {self.name!r} fails: {type(error).__name__}: {error}") from error
        if not isinstance(changed, Spec):
            raise StepError(f"step {self.name!r} must return a Spec, not {type(changed).__name__}")
        if not self.source:
            return changed
        return edit_units(changed, lambda unit: isinstance(unit, Operation), source=self.source)
