"""Who starts which run: this process, a process pool, several devices."""
