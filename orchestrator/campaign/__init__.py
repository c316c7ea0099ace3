"""WHAT to run. Data in, data out; only :mod:`document`, :mod:`extends`, :mod:`inputs` and :mod:`load` read files."""
