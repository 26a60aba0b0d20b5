"""Copies of a history: a backup in one file, or the whole in another database."""
