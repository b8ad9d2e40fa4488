"""Training recipes as YAML, and what reads them."""
