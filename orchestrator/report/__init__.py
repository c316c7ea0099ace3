"""Results as people look at them: tables for the terminal, frames for analysis."""
