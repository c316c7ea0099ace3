"""The container side: loads an engine, meters its inference, writes a run folder.

Never imports ``orchestrator``. Stays importable on Python 3.10, for engine images that lag.
"""
