"""A real Slurm on this machine, started for tests, and the tests that need it."""
