"""WHAT to run. Data in, data out; only :mod:`load` and :mod:`inputs` read files."""
