"""`layerwise browse`: a local web page over the whole history, for looking only.

`listing` filters and sorts runs, `reports` draws reports and keeps the last ones, `questions` asks visitors' queries,
`pages` makes HTML, `server` gives it all addresses, and `serving` listens. The history is opened for reading; what a
report has to compute stays in memory.
"""
