"""The core: specs, plans, costs, networks, records. It imports none of the other rooms."""
