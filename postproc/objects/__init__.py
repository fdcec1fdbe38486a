"""How likely each outlined building is a true one: what is measured of it, and the model that judges by that.

`features.py` measures, `model.py` judges, and is read and written with a pipeline; `fitting.py` makes a model of
buildings of which it is known whether they were found.
"""
