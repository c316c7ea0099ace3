"""Charts as Vega-Lite specifications: pure, drawn in a browser by the report or to a file by vl-convert."""
