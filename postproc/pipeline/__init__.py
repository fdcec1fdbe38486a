"""From a map to a mask and to outlines: what tuning chooses, submit applies, and tuned.json holds.

`Recipe` is made of steps, a class each in `steps`; `OutlineRecipe` says how a mask becomes outlines; `Pipeline` is a
blend with both, and the only reader and writer of their files.
"""
