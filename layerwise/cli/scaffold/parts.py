"""What a new plugin can offer: for each hook one module that does something real, its test, and how it is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from layerwise.core.base.errors import InputError
from layerwise.core.base.words import near_names


@dataclass(frozen=True)
class Part:
    """One hook's share of a project.

    Attributes:
        word: What people type after `--hook`; the name of its module and its templates.
        kind: The hook without `register_`.
        what: What the module does as it is written.
        use: A command line that uses it; `{name}` is what it is called.
        check: The check of `layerwise.testing` that its test calls.
    """

    word: str
    kind: str
    what: str
    use: str
    check: str

    @property
    def hook(self) -> str:
        """The hook."""
        return f"register_{self.kind}"


_RUN = "layerwise run googlenet --weights FILE --stimuli"
PARTS = (
    Part(
        "command",
        "commands",
        "the most similar pair of stimuli in each layer",
        "layerwise {name} latest",
        "check_commands",
    ),
    Part(
        "comparator",
        "comparators",
        "linear CKA of two layers, debiased",
        "layerwise compare latest --with {name}",
        "check_comparator",
    ),
    Part(
        "engine", "engines", "a run that is logged layer by layer", f"{_RUN} photos --engine {{name}}", "check_engine"
    ),
    Part(
        "loader",
        "model_loaders",
        "multilayer perceptrons from NumPy files",
        "layerwise run network.mlp.npz --stimuli photos",
        "check_loader",
    ),
    Part(
        "metric",
        "metrics",
        "a Gaussian of the distance between stimuli",
        "layerwise reorder latest --by output --metric {name}",
        "check_metric",
    ),
    Part(
        "reorderer",
        "reorderers",
        "stimuli along the Fiedler vector of their similarity",
        "layerwise reorder latest --by output --method {name}",
        "check_reorderer",
    ),
    Part(
        "section",
        "report_sections",
        "a chart of the dimensions along the layers",
        "layerwise report latest --section {name} -o report.html",
        "check_section",
    ),
    Part(
        "selector",
        "layer_selectors",
        "the layers with many units",
        "layerwise layers googlenet --layers {name}:100000",
        "check_selector",
    ),
    Part("source", "stimulus_sources", "gratings of many orientations", f"{_RUN} {{name}}:36", "check_source"),
    Part(
        "statistic",
        "statistics",
        "the dimensions that hold most of the variance",
        "layerwise measure latest",
        "check_statistic",
    ),
    Part(
        "transform",
        "transforms",
        "the spread of each channel over positions",
        f"{_RUN} photos --transform {{name}}",
        "check_transform",
    ),
)


def find_parts(words: Iterable[str]) -> tuple[Part, ...]:
    """The parts that are asked for, each once; `comparator`, `comparators` and `register_comparators` are the same.

    Raises:
        InputError: If there is no such hook, or none is named; those that there are are listed.
    """
    words = list(words)
    if not words:
        width = max(len(part.word) for part in PARTS)
        listed = [f"--hook {part.word:<{width}}  {part.what}" for part in PARTS]
        raise InputError("what shall the plugin offer? Choose one or several; each comes with an example:", listed)
    chosen = {find_part(word).word for word in words}
    return tuple(part for part in PARTS if part.word in chosen)


def find_part(word: str) -> Part:
    """The part of one hook, from any of its names.

    Raises:
        InputError: If there is no such hook; those that there are are listed.
    """
    plain = word.strip().lower().replace("-", "_")
    for part in PARTS:
        if plain in (part.word, part.kind, part.hook, part.kind.removesuffix("s")):
            return part
    known = [part.word for part in PARTS]
    near = near_names(plain, known) if plain else ""
    raise InputError(f"no hook '{word}'{near.split('; there')[0]}; hooks are {', '.join(known)}")
