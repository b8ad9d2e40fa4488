"""Measurements on a GPU, in one command: `make bench-gpu`."""
