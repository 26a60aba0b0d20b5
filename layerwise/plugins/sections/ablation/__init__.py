"""The section on ablations."""
