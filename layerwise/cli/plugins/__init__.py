"""Plugins and the command line: listing, installing, tracing, and the commands that they add."""
