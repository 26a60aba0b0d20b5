"""What is particular to SQLite: how it keeps its journal, and where its file lies."""
