"""Layerwise inside a Keras training: record representations while a model is trained, and losses on them.

    import layerwise as lw

    model = lw.keras.with_losses(model, lw.keras.SmoothDecorrelation(0.1))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=10, callbacks=[lw.keras.RecordRepresentations((probes, labels), lineage="digits")])

Importing this package imports Keras.
"""

from layerwise.core.base.errors import explaining_missing
from layerwise.training.recorder import RecordingWarning

with explaining_missing():
    from layerwise.keras.attaching import with_losses
    from layerwise.keras.recording import RecordRepresentations
    from layerwise.plugins.loaders.keras.losses import DeCov, SmoothDecorrelation

__all__ = ["DeCov", "RecordRepresentations", "RecordingWarning", "SmoothDecorrelation", "with_losses"]
