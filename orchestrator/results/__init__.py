"""Run folders: making, verifying, publishing and reading them."""
