"""Similarities corrected for how few units were seen."""
