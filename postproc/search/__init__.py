"""The exact search: every setting of the flat steps at every threshold, counted without trying them one by one.

`search_step` scores a step's settings on top of recipes as a `Grid`; `Grid.choose` takes the best for any share of the
groups. `choose_areas` finds the best areas for many shares at once, and counts only the thresholds that can win. No
study, storage or file is needed.
"""
