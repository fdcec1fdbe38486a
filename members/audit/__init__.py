"""What is wrong with a data set before anything is trained on it: copies, shared ground, blank images, odd labels.

`prints` takes what of an image is compared with others, `duplicates` finds near-duplicates, `neighbours` tiles of one
ground, `proposal` groups that tear none of them apart, `tiles` reads a data set with all its flaws, and `checks` looks
at each tile and group by itself.
"""
