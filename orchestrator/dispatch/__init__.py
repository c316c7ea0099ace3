"""HOW one run is started, watched and stopped."""
