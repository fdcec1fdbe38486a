"""What is wrong with labels, by the maps of members that did not train on them, told and drawn.

`suspicions` ranks labels that the maps contradict, `offsets` finds how far masks lie from maps, `report` puts all that
an audit finds together, `sheet` draws the worst of it.
"""
