"""Training recipes as YAML, and their loader."""
