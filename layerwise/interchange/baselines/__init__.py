"""Baselines of tests of representations as small files, fit for version control."""
