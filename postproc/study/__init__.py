"""Optuna studies: where they are kept, the one trial loop, and what is searched by trials.

Several processes share a study, and one that was killed goes on. Whole buildings and blend weights are searched here;
what the exact search found is recorded as trials.
"""
