"""What masks and buildings are written to, and read from: one module a format, one row each in `registry`.

`submission` (with `rle`) is the CSV, `masks` are pictures, `vector` is what a GIS opens (`columns` and `styles` say how
it looks there, `shapefile` what that loses), `coco` instances. `exports` writes all that is asked for in one pass.
GeoPandas is loaded only for vector files.
"""
