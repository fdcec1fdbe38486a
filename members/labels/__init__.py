"""Outlines of buildings as labels: read from vector files into the pixels of images.

`reading` reads files; `geometry` moves outlines and cuts them off at an image's border.
"""
