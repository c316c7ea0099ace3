"""What the runner adds to an engine's own time for the same prompts."""
