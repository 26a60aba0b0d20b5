"""The built-in report: its sections, and the page that shows them.

A report is made in one direction: queries give Polars frames, frames give Altair charts, charts go into one
self-contained HTML file. Each section lives in a module of its own, with a pure step (numbers, testable without
a drawing) before the drawing step. `page.render_report` puts the sections of all plugins together.
"""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.host.hookspecs import hookimpl
from layerwise.plugins.sections.ablation.section import Ablation
from layerwise.plugins.sections.branches.section import Branches
from layerwise.plugins.sections.layers.dimension import Dimension
from layerwise.plugins.sections.layers.layer_matrix import LayerMatrix
from layerwise.plugins.sections.layers.sparseness import Sparseness
from layerwise.plugins.sections.layers.weights import Weights
from layerwise.plugins.sections.maps.section import Maps
from layerwise.plugins.sections.models.section import Models
from layerwise.plugins.sections.models.stimulus_sets import StimulusSets
from layerwise.plugins.sections.overview.compared import Compared
from layerwise.plugins.sections.overview.provenance import Provenance
from layerwise.plugins.sections.overview.section import Overview
from layerwise.plugins.sections.recordings.section import Recordings
from layerwise.plugins.sections.stimuli.explorer import Explorer
from layerwise.plugins.sections.stimuli.gallery import PhotoGallery
from layerwise.plugins.sections.stimuli.matrices import Matrices
from layerwise.plugins.sections.training.section import Checkpoints
from layerwise.plugins.sections.transition.section import Transition
from layerwise.report.section import SectionBuilder


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
        Ablation(),
        Sparseness(),
        Dimension(),
        Weights(),
        Provenance(),
    )
