"""Weights to start from: where they are, what of them fits a network, and how they are loaded."""
