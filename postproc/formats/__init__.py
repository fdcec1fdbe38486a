"""What masks and buildings are written to, and read from: one module a format, one row each in `registry`.

`submission` (with `rle`) is the CSV, `masks` pictures, `vector` what a GIS opens, `coco` instances. `exports` writes
everything that is asked for in one pass. GeoPandas and its like are loaded only where a vector file is at hand.
"""
