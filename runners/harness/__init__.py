"""The measurement, whatever the engine: prepare, load, warm up, measure, tear down, compute, publish."""
