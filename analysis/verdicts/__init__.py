"""Verdicts: what each step is worth, with intervals."""
