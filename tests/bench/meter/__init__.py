"""The meter held against known truth, ours and each peer's, on one simulated GPU. ``make bench-meter`` prints it."""
