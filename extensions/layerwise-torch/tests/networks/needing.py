"""Needs a package that is not installed."""

import not_there  # noqa: F401
