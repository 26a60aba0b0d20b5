"""Checks for plugin authors: does what a plugin offers keep what its hook promises?

There is a check for each hook. Call it from a test, as in `check_comparator(MyComparator())`: it asks the offer many
questions, ordinary and awkward ones, and raises an AssertionError that names the offer, what came and what was
expected. The built-in offers pass the same checks. Beside them there is a toy network with real stimuli
(handwritten digits), so that a test needs no weights and no photos; `layerwise.testing.fixtures` has pytest
fixtures made of it.
"""

from layerwise.testing.ablations import without_layers
from layerwise.testing.commands import check_commands
from layerwise.testing.comparators import INVARIANCES, check_comparator
from layerwise.testing.engines.arrays import check_arrays
from layerwise.testing.engines.streaming import RecordingSink, check_engine, make_job
from layerwise.testing.histories import make_history, make_plugin
from layerwise.testing.loaders import check_loader
from layerwise.testing.material import summarize
from layerwise.testing.metrics import check_metric
from layerwise.testing.reorderers import check_reorderer
from layerwise.testing.sections import check_section
from layerwise.testing.selectors import check_selector
from layerwise.testing.sources import check_source
from layerwise.testing.statistics import check_statistic
from layerwise.testing.toy import ToyModel, load_digits, make_representations
from layerwise.testing.transforms import check_transform

__all__ = [
    "INVARIANCES",
    "RecordingSink",
    "ToyModel",
    "check_arrays",
    "check_commands",
    "check_comparator",
    "check_engine",
    "check_loader",
    "check_metric",
    "check_reorderer",
    "check_section",
    "check_selector",
    "check_source",
    "check_statistic",
    "check_transform",
    "load_digits",
    "make_history",
    "make_job",
    "make_plugin",
    "make_representations",
    "summarize",
    "without_layers",
]
