"""What notebooks use: opening a history, and its figures as Altair charts."""

from layerwise.notebook import charts

__all__ = ["charts"]
