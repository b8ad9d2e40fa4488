"""Tables: accuracy, cost and verdicts as text."""
