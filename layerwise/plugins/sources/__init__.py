"""Stimulus sources: where pictures come from.

A folder of images, a CSV manifest of image files, or an array of pixels. What all of them share, from
decoding a file to drawing its thumbnail, is in `imaging`.
"""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import StimulusSource
from layerwise.plugins.sources.array import ArraySource
from layerwise.plugins.sources.folder import ImageFolderSource
from layerwise.plugins.sources.manifest import ManifestSource
from layerwise.plugins.sources.texts import TextFileSource


@hookimpl
def register_stimulus_sources() -> Sequence[StimulusSource]:
    """The built-in sources."""
    return [ImageFolderSource(), ManifestSource(), ArraySource(), TextFileSource()]
