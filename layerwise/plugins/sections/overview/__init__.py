"""Sections about whole runs: the numbers in short, several runs side by side, and how the report was made."""
