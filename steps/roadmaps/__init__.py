"""Roadmaps as YAML, and what reads them."""

from steps.roadmaps.load import load_roadmap

__all__ = ["load_roadmap"]
