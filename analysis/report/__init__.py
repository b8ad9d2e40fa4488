"""The report: one HTML file that explains itself, with tables for papers beside it."""
