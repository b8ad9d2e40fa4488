"""Figures as PDF, SVG and PNG, in one style, each with its caption."""
