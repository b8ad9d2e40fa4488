"""Data sources: which images and labels there are."""
