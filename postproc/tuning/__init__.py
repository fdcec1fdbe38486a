"""Tuning: the nested steps of a pipeline, each chosen on some groups and judged on others.

`tune_pipeline` does it all, on arrays or on a run's folders. A `Fit` is what a step chooses, a `Verdict` which steps
were kept, `Losses` what they cost, a `Tuning` all of it.
"""
