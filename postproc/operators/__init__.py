"""Flat operators on grey pictures, compiled: they commute with thresholding, so one pass serves every threshold.

Closings and openings of all kernel sizes in one go (`flat_operators`, on the byte layout of `layout`), area filters by
a component tree (`component_tree`), and what area filters leave, counted without a picture (`areas`).
"""
