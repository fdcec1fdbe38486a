"""What teaches a student: the maps of other members' networks, fold by fold, of labelled and of unlabelled images.

`images.py` lists the unlabelled ones, `taught_set.py` makes of maps and masks what a fold of the student is trained on.
"""
