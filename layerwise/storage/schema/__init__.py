"""The tables of a history, as the code that reads and writes them sees them.

Tables come into being by the migrations only (`layerwise.storage.migrate`); a test holds these definitions
to what the migrations make, on every database. What is shared is stored once: a model and a stimulus set
belong to all runs that used them. Everything that belongs to a run goes with it by cascade.
"""

from layerwise.storage.schema.answer_tables import (
    comparisons,
    intervals,
    orderings,
    permutation_tests,
    profile_intervals,
    profile_layers,
    profiles,
)
from layerwise.storage.schema.columns import metadata
from layerwise.storage.schema.layer_tables import (
    output_tiles,
    outputs,
    predictions,
    representations,
    run_weight_statistics,
    statistics,
    tiles,
    weight_statistics,
    weights,
)
from layerwise.storage.schema.run_tables import (
    attempts,
    layers,
    models,
    requests,
    runs,
    stimuli,
    stimulus_sets,
    tags,
    variants,
)

__all__ = [
    "HEAD",
    "REVISIONS",
    "VERSION_TABLE",
    "VIEWS",
    "attempts",
    "comparisons",
    "intervals",
    "layers",
    "metadata",
    "models",
    "orderings",
    "output_tiles",
    "outputs",
    "permutation_tests",
    "predictions",
    "profile_intervals",
    "profile_layers",
    "profiles",
    "representations",
    "requests",
    "run_weight_statistics",
    "runs",
    "statistics",
    "stimuli",
    "stimulus_sets",
    "tags",
    "tiles",
    "variants",
    "weight_statistics",
    "weights",
]

REVISIONS = (
    *("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012"),
    "0014",
    "0017",
    "0018",
)
"""Every revision of the schema that this version knows, oldest first; the last is the present one."""

HEAD = REVISIONS[-1]
VERSION_TABLE = "layerwise_version"

VIEWS = (
    "run_list",
    "layer_list",
    "layer_statistics",
    "layer_comparisons",
    "layer_orderings",
    "stimulus_predictions",
    "weight_tensor_statistics",
    "profile_list",
    "layer_profiles",
    "profile_interval_list",
    "layer_intervals",
    "layer_tests",
)
"""Views that spell out the names behind the references, for people; the migrations define them."""
