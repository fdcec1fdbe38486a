"""Outlines of buildings as labels: read from vector files into the pixels of images.

`reading` reads files, `agreement` compares them with masks; `geometry` moves outlines and cuts them off at an image's
border.
"""
