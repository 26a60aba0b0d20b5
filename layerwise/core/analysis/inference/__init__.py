"""How sure a comparison is: resamples of the stimuli, intervals, permutation tests, noise ceilings, differences.

Everything here is a function of representations or matrices; nothing reads a file or a database, except
`asking`, which is handed a history. `docs/inference.md` says what is done and how well it was measured to work.
"""
