"""Whether a machine is fit for measuring: what is read of it, and pure verdicts over that."""
