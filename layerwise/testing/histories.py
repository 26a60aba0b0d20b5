"""A small history that is made by a real run: the toy network on digits, streamed, measured and stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layerwise.core.base.errors import InputError, PluginError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import ModelLoader, Offer, StimulusSource
from layerwise.core.host.registry import Registry
from layerwise.core.network.model import LoadRequest, Model
from layerwise.core.network.stimuli import Decoded, Resize, StimulusSet
from layerwise.core.runs.request import RunRequest, SilentObserver
from layerwise.plugins import KINDS
from layerwise.testing.toy import SIDE, ToyModel, load_digits

N_STIMULI = 40


def make_plugin(*offers: Offer) -> object:
    """A plugin that offers just this: `registry.register(make_plugin(MyCka()), "mine", "mine", "1.0")`.

    Args:
        offers: Instances of any kinds; each goes to the hook of its kind.
    """
    plugin = type("Plugin", (), {})()
    for hook, kind in KINDS.items():
        some = [offer for offer in offers if isinstance(offer, kind)]
        if some:
            setattr(plugin, f"register_{hook}", hookimpl(specname=f"register_{hook}")(lambda some=some: some))
    return plugin


def make_history(path: Path | str, learned: Sequence[float] = (1.0,), n_stimuli: int = N_STIMULI) -> str:
    """Analyse all layers of the toy network in a new SQLite history.

    Args:
        path: The file to make.
        learned: How far the network is trained, from 0 to 1: one run each, checkpoints of the lineage `toy`.
        n_stimuli: How many digits.

    Returns:
        The URL of the history, for `open_store` and `LAYERWISE_DB`.

    Raises:
        InputError: If there is a file already.
    """
    from layerwise.core.runs.prepared import prepare_run
    from layerwise.core.runs.run import execute_run
    from layerwise.storage import open_store

    if Path(path).exists():
        raise InputError(f"there is a file already: {path}")
    url = f"sqlite:///{path}"
    registry = _make_registry()
    with open_store(url) as store:
        for step, share in enumerate(learned):
            request = RunRequest(
                model=f"toy-digits:{share}",
                stimuli=f"toy-digits:{n_stimuli}",
                layers=("all",),
                checkpoint=f"{share:.0%} trained",
                step=step,
                lineage="toy",
                command="layerwise run toy-digits --stimuli digits --layers all",
            )
            execute_run(prepare_run(request, registry, SilentObserver()), store, SilentObserver())
    return url


def _make_registry() -> Registry:
    from layerwise.plugins import load_plugins

    registry = load_plugins()
    for status in registry.plugins:
        if status.failure and status.distribution == "layerwise":
            raise PluginError(status.name, "layerwise", status.failure)
    registry.register(make_plugin(_ToyLoader(), _DigitsSource()), "layerwise-testing", "layerwise", "testing")
    return registry


class _ToyLoader(ModelLoader):
    """`toy-digits:SHARE`, where SHARE says how far it is trained."""

    name = "toy-digits"
    description = "a toy network that reads digits, for tests"

    def accepts(self, model: str) -> bool:
        return model.startswith("toy-digits:")

    def load(self, request: LoadRequest) -> Model:
        return ToyModel(float(request.model.partition(":")[2]))


class _Digits(StimulusSet):
    """Digits as a source lists them."""

    def __init__(self, n_stimuli: int) -> None:
        self._loaded = load_digits(n_stimuli)
        self.name, self.source, self.stimuli = self._loaded.name, self._loaded.source, self._loaded.stimuli

    def decode(self, index: int, size: tuple[int, int], resize: Resize) -> Decoded:
        del resize
        if size != (SIDE, SIDE):
            raise InputError(f"the digits are for the toy network, of {SIDE} x {SIDE} pixels, not {size}")
        loaded = self._loaded
        return Decoded(loaded.read(index, index + 1)[0], loaded.thumbnails[index], loaded.content_hashes[index])


class _DigitsSource(StimulusSource):
    """`toy-digits:N`."""

    name = "toy-digits"
    description = "handwritten digits, for tests"

    def accepts(self, location: str) -> bool:
        return location.startswith("toy-digits:")

    def open(self, location: str) -> Any:
        return _Digits(int(location.partition(":")[2]))
