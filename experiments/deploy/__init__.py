"""What is done with a finished run: predict with it, or export it for other programs."""
