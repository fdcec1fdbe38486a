"""Data sets and runs: tiles with their groups, their pixels, splits that tear no group apart, and a run's folder.

`tiles` finds and pairs files, `raster` reads and checks pixels, `frames` says where an image lies, `mosaic` joins what
touches, `split` deals groups to folds, and `run` knows every path of a run and its record.
"""
