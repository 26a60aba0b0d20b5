"""Matrices and activations of other tools: read, checked, made into representations, stored as a run; and written.

`readers` and `writers` know files, `arrange` and `checks` make sure that what is in them is a matrix between
stimuli, `conversion` says what becomes of each kind, `stimulus_names` whose rows they are, and `importing` stores
them. Nothing here ever unpickles.
"""
