"""Comparators: how alike two layers' representations of the same stimuli are. One module a family."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.hookspecs import hookimpl
from layerwise.core.kinds import Comparator
from layerwise.plugins.comparators import rsa


@hookimpl
def register_comparators() -> Sequence[Comparator]:
    """The built-in comparators."""
    return [rsa.PearsonRsa(), rsa.SpearmanRsa(), rsa.RhoARsa(), rsa.CosineRsa()]
