"""Frozen, validated values: how the classes of a spec and of a record are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform

import pydantic
from pydantic import Field
from pydantic.fields import FieldInfo

T = TypeVar("T")


def added(default: Any) -> Any:
    """Return a field that a later version added: at its default no text of a spec mentions it."""
    return Field(default=default, exclude_if=lambda given: given == default)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def value(*, strict: bool) -> Callable[[type[T]], type[T]]:
    """Make a class a frozen, validated value: no unknown keys, finite numbers.

    If `strict`, a number is never made from text, nor a tuple from a list.
    """
    config = pydantic.ConfigDict(extra="forbid", strict=strict, allow_inf_nan=False)
    make: Any = pydantic.dataclasses.dataclass(frozen=True, kw_only=True, config=config)

    def made(kind: type[T]) -> type[T]:
        built: Any = make(kind)
        for field in dataclasses.fields(built):  # the plain default, for those who ask dataclasses
            if isinstance(field.default, FieldInfo) and field.default.default_factory is None:
                field.default = field.default.get_default()
        return built

    return made
