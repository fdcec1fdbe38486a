"""What maps and masks say against the truth, as counts per group, and what may be concluded from them.

`Counts` add up over tiles, so scores of any fold, bootstrap draw or choice follow without the pixels; `METRICS` is the
one table of what is scored; `CrossFit` says who may look at which groups; `Gain` is what a choice is worth.
"""
