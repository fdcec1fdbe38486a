"""Tuning: the nested steps of a pipeline, each chosen on some groups and judged on others.

`tune_pipeline` does it all on arrays or on a run's folders. `Fit` is what a step chooses, `Verdict` which steps were
kept; Optuna studies search what is no sum over pixels, and record what was tried.
"""
