"""What an analysis is. Nothing in here knows a plugin, a database or a deep-learning framework.

From the bottom up: `base`, then `network`, then `host` and `history` beside each other, then `runs` and `analysis`.
"""
