"""The machine: cores, GPUs, signals, locks, logs, progress."""
