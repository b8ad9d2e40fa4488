"""Training one network: the loop, the trainer and its callbacks."""
