"""What of all that a run may need is here, what is not, and what to do about it. It only looks."""
