"""Training of members: specs, batches, losses, the loop that goes on exactly after a kill, and its commands.

`spec` says what a member is and `catalog` finds the scripts. `train` and `overview` are commands and load no Keras
until they run; `networks` builds the networks.
"""
