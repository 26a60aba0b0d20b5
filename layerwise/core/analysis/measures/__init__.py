"""Which measures to take, and whether they agree."""
