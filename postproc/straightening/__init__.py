"""Straight walls for what other programs have found: masks, probability maps, and layers of outlines.

`rasters` reads masks and maps of any size in windows, `layers` takes a table of outlines through pixels and back;
`comparison` scores before and after, and `rivals` has another library outline the same masks.
"""
