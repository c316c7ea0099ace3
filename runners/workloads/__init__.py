"""Prompts: where they come from, and how they are brought to an exact length."""
