"""Tests of representations: whether what layers think is still what it was."""
