"""The members of an ensemble, one script a file: what network each is, and how it is trained.

A script is a `SPEC` and a command line; the name of the file is the name of the member. Folders hold what scripts are
made of: `training` (specs, networks, the training loop), `data` (tiles, rasters, splits, runs), `synthetic` (drawn
scenes) and `common` (errors, files, console, progress).
"""
