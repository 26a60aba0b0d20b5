"""Questions asked of a history: compare layers, profile a run, weigh branches, order stimuli, intervals and tests.

Each question is split in two: a pure function of matrices (`profile`, `importance`, `alignment`), and a module that
reads a history, asks, and keeps the answer (`compare`, `profile_run`, `importance_run`, `order`).
"""
