"""Commands that ask the history: `runs`, `show`, `compare`, `profile`, `query` and their like."""
