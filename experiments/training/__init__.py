"""Training one network: the Lightning task and its callbacks."""
