"""Roadmaps as YAML, and what reads them."""
