"""What a command asks for: which weights, and what rows do that share nothing with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from experiments.weights.fitting import shared
from experiments.weights.source import Weights, find_weights
from roadmap.edit import replace
from roadmap.errors import Problem, escaped
from roadmap.rows import Roadmap, Row
from roadmap.spec import Network, Reference, Spec
from roadmap.weight_checks import Shapes


@dataclass(frozen=True)
class Start:
    """The weights to start from, by the text of --weights.

    With `scratch`, a row that shares no convolution with the weights is trained from random
    weights: it is then the same run as without --weights. Otherwise such a row is refused.
    """

    source: str
    runs: Path
    use_ema: bool = False
    scratch: bool = False

    @property
    def weights(self) -> Weights:
        """The weights. Raises Problem if they are not there."""
        return find_weights(self.source, self.runs, use_ema=self.use_ema)

    def apply(self, roadmap: Roadmap) -> Roadmap:
        """Return the roadmap with the weights in the spec of every row that takes them."""
        _ = self.weights  # an error in it is no row's
        return roadmap.changed(self.started)

    def started(self, spec: Spec) -> Spec:
        """Return the spec with the weights that it starts from."""
        from_weights = not self.scratch or self.fits(spec.network)
        return replace(spec, weights=self.weights.fingerprint if from_weights else None)

    def fits(self, network: Network | Reference) -> bool:
        """Return whether a network shares a convolution with the weights."""
        return _fits(self.weights, network)

    def check(self, rows: Iterable[Row]) -> None:
        """Raise Problem that names the rows that share nothing with the weights."""
        rows = list(rows)
        unfit = [row.number for row in rows if not self.fits(row.spec.network)]
        if not unfit or self.scratch:
            return
        fitting = ",".join(row.number for row in rows if row.number not in unfit)
        one = len(unfit) == 1
        more = f"; --rows {fitting} trains the others" if fitting else ""
        raise Problem(
            f"row{'' if one else 's'} {', '.join(unfit)} share{'s' if one else ''} no convolution "
            f"with weights {escaped(self.weights.name)}; --if-nothing-fits scratch trains "
            f"{'it' if one else 'them'} from random weights{more}"
        )


@lru_cache(maxsize=4096)
def _fits(weights: Weights, network: Network | Reference) -> bool:
    if isinstance(network, Reference):
        from experiments.weights.loading import fits_reference

        return fits_reference(weights, network)
    return bool(shared(network, _shapes(weights)))


@lru_cache(maxsize=16)
def _shapes(weights: Weights) -> Shapes:
    return weights.shapes()
