"""What kind of device this machine trains on, for forecasts; found without torch."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.host.gpus import gpus, query
from roadmap.record import Record

CPU = "a CPU"


@dataclass(frozen=True, kw_only=True)
class Device:
    """A kind of device: a GPU's name, `a CPU`, or any; `watts` is the GPU's power limit."""

    name: str
    watts: float | None = None

    def __str__(self) -> str:
        return self.name

    def is_like(self, record: Record) -> bool:
        """Return whether a run was trained on this kind of device."""
        return self.name in ("", kind_of(record))

    def cost(self, hours: float) -> str:
        """Return GPU hours in words, and the energy if the power limit is known."""
        if self.name in ("", CPU):
            return ""
        text = f" = {hours:.1f} GPU hours"
        if self.watts is None:
            return text
        return f"{text}, at most {hours * self.watts / 1000:.1f} kWh at {self.watts:.0f} W"


ANY = Device(name="")


def this_device() -> Device:
    """Return the kind of device that a run gets here: the first GPU that may be used, or a CPU."""
    if not gpus():
        return Device(name=CPU)
    name = next(iter(query("name")), "") or "a GPU"
    watts = next(iter(query("power.limit")), "")
    try:
        return Device(name=name, watts=float(watts))
    except ValueError:
        return Device(name=name)


def kind_of(record: Record) -> str:
    """Return the kind of device that a run was trained on: a GPU's name, or `a CPU`."""
    hardware = record.provenance.hardware
    return CPU if " cores" in hardware or "processor" in hardware else hardware
