"""When an experiment is known well enough: a sequential rule whose interval still covers what it says."""
