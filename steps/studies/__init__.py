"""Studies as YAML, what reads them, and one module per design."""
