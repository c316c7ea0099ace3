"""Stands in for TensorRT, in tests only: it has a version and nothing else."""

__version__ = "10.0.0"
