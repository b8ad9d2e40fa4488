"""Names of roadmaps: `resnet50@tiny:detection` is a small resnet50, trained for detection."""

from __future__ import annotations

from roadmap.errors import Problem, unknown
from roadmap.scale import SCALES
from roadmap.tasks import TASKS


def split_name(name: str) -> tuple[str, str, str]:
    """Return the name or file of a roadmap, its scale and its task; "" if it names none."""
    name, task = _ending(name, ":")
    name, scale = _ending(name, "@")
    return name, scale, task


def full_name(name: str, *, scale: str | None, task: str | None) -> str:
    """Return the name with a scale and a task at its end, if they are given.

    Raises Problem for an unknown one, and if the name already has another one.
    """
    plain, own_scale, own_task = split_name(name)
    given = (("scale", scale, own_scale, SCALES), ("task", task, own_task, TASKS))
    for option, word, own, known in given:
        if word is not None and word not in known:
            raise unknown(option, word, known)
        if word and own and word != own:
            raise Problem(f"--roadmap {name} and --{option} {word} name two {option}s; give one")
    ends = (("@", scale or own_scale), (":", task or own_task))
    return plain + "".join(sign + word for sign, word in ends if word)


def _ending(name: str, sign: str) -> tuple[str, str]:
    """Return a name without its end after `sign`, and that end; no end is a part of a path."""
    plain, _, end = name.rpartition(sign)
    return (plain, end) if plain and end and not set("./\\") & set(end) else (name, "")
