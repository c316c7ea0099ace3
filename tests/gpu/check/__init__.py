"""``make gpu-check``: how this machine's GPU and the meter behave, written down by the machine itself.

Standard library, torch, transformers, pydantic, pyarrow and nvidia-ml-py; Python 3.10. The parent never loads
torch: whatever computes on the GPU is a process of its own, so that idle means idle.
"""
