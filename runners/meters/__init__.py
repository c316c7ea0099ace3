"""What samples power, energy and the like; each meter only samples, and nothing here computes.

The sampler runs in a process of its own (``python -m runners.meters``) and imports the standard library
and, for NVIDIA GPUs, pynvml; nothing heavier.
"""
