"""Masks and outlines against the truth: `compare_buildings` counts one image's columns, `score_masks` scores many.

The columns are those that the formulas of `ensemble.statistics.metrics.METRICS` take: of pixels (pixels, boundary), of
buildings found (matching, buildings) and of their shapes (shapes); average_precision ranks buildings as COCO does.
`reading` takes either side from files, `table` writes scores as tables, CSV and JSON.
"""
