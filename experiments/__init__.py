"""Data, training and runs: from a spec to a record."""
