"""The core: specs, plans, costs, networks, records. It imports none of the other rooms."""

__version__ = "0.1.0"
