"""The built-in report: its sections, and the page that shows them.

A report is made in one direction: queries give Polars frames, frames give Altair charts, charts go into one
self-contained HTML file. Each section lives in a module of its own, with a pure step (numbers, testable without
a drawing) before the drawing step. `page.render_report` puts the sections of all plugins together.
"""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.hookspecs import hookimpl
from layerwise.core.kinds import SectionBuilder
from layerwise.plugins.report.branches import Branches
from layerwise.plugins.report.checkpoints import Checkpoints
from layerwise.plugins.report.compared import Compared
from layerwise.plugins.report.dimension import Dimension
from layerwise.plugins.report.explorer import Explorer
from layerwise.plugins.report.gallery import PhotoGallery
from layerwise.plugins.report.layer_matrix import LayerMatrix
from layerwise.plugins.report.maps import Maps
from layerwise.plugins.report.matrices import Matrices
from layerwise.plugins.report.models import Models
from layerwise.plugins.report.overview import Overview
from layerwise.plugins.report.provenance import Provenance
from layerwise.plugins.report.recordings import Recordings
from layerwise.plugins.report.sparseness import Sparseness
from layerwise.plugins.report.stimulus_sets import StimulusSets
from layerwise.plugins.report.transition import Transition
from layerwise.plugins.report.weights import Weights


@hookimpl
def register_report_sections() -> Sequence[SectionBuilder]:
    """The built-in sections, in the order of the page."""
    return (
        Overview(),
        Compared(),
        Checkpoints(),
        Recordings(),
        Models(),
        StimulusSets(),
        PhotoGallery(),
        LayerMatrix(),
        Explorer(),
        Transition(),
        Maps(),
        Matrices(),
        Branches(),
        Sparseness(),
        Dimension(),
        Weights(),
        Provenance(),
    )
