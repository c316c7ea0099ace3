"""The report as one self-contained HTML file: everything in it, nothing loaded, nothing that is not escaped."""
