"""Studies as YAML, their designs, and their loader."""
