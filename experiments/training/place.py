"""The place of one process among the processes of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Place:
    """Process `local` of a node, `rank` of `world` processes; they meet at `address` and `port`."""

    rank: int = 0
    local: int = 0
    node: int = 0
    world: int = 1
    address: str = "127.0.0.1"
    port: int = 0
