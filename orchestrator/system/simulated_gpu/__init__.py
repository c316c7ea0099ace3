"""GPUs that are none: a library in NVML's place that plays known power curves, so that every joule can be checked.

:mod:`curves` says what power is drawn, :mod:`settings` how the sensors tell it and what goes wrong, :mod:`build`
makes of both the folder that a process or container needs.
"""
