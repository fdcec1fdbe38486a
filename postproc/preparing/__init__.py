"""Data sets of any shape, turned into one that all commands read.

`sources` finds images and masks, `masks` reads masks of any kind, `truths` reads what else says where buildings are,
`tiling` cuts images into tiles, and `writing` writes the data set.
"""
