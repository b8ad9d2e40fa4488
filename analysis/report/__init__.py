"""The report: one HTML file that explains itself, with tables for papers next to it."""
