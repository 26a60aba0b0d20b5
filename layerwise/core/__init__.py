"""What an analysis is: types, hook specifications, the registry, streaming and the engine.

Nothing in here knows a plugin, a database or a deep-learning framework.
"""
