"""Probability maps on disk, the interface between the stages: one folder a part and member, with a manifest.

`raster` writes and reads one map, `manifest` says what a folder's maps are of, `samples` goes through maps and truth
(`RunSamples` of folders, `ArraySamples` of arrays), `foreign` takes in maps of other programs, `checks` finds flaws.
"""
