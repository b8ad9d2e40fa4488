"""Roadmaps as YAML, and their loader."""

from steps.roadmaps.load import load_roadmap

__all__ = ["load_roadmap"]
