"""Measures of networks: speed of any, and more than top-1 of trained ones."""
