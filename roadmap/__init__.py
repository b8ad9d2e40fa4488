"""The core: specs, plans, costs, networks, records. It imports none of the other packages."""

__version__ = "0.1.0"
