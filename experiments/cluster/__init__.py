"""Studies on a SLURM cluster: scripts of array jobs, what was submitted, and the queue."""
