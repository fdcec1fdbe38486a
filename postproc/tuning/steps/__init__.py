"""The steps beyond the flat ones, each a `Fit` on top of what was kept so far.

`weights` of the members, each image's own threshold (`tiles`), `outlines` with straight walls; and, for whole
buildings, threshold, areas and splits (`buildings`), and a model of what is outlined (`objects`).
"""
