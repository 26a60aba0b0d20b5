"""An old run, kept as correlations, beside a new one of the same network and stimuli: they can be compared.

The old one was made by the code of schema 0009 (`tests/assets/histories`), the new one is computed here.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import io
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerwise.cli import main
from layerwise.core.analysis.measure import Measure, find_measure
from layerwise.core.base.errors import InputError
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.kinds import Comparator, Metric, MetricComparator
from layerwise.core.host.registry import Registry
from layerwise.core.network.representation import Representation, strict_upper
from layerwise.core.network.resolution import SURE
from layerwise.plugins import load_plugins
from layerwise.storage import open_store

HISTORIES = Path(__file__).parents[1] / "assets" / "histories"
OLD = "0009"
ROUNDING = 1e-4  # of the largest value of a measure: r was kept in float32, and small differences of it matter


@dataclass(frozen=True)
class Mixed:
    """A history with an old and a new run of the same."""

    url: str
    old: str
    new: str
    layers: tuple[str, ...]

    def read(self, run_id: str) -> list[Representation]:
        with open_store(self.url, read_only=True) as store:
            return store.read_representations([LayerAddress(run_id, layer) for layer in self.layers])


def call(*arguments: str) -> tuple[int, str, str]:
    """Exit code and output of a command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    """The history of schema 0009, upgraded, and its network on its stimuli again."""
    pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("mixed")
    _make_material(folder / "material")
    path = folder / "layerwise.db"
    path.write_bytes(gzip.decompress((HISTORIES / f"{OLD}.db.gz").read_bytes()))
    old = json.loads((HISTORIES / f"{OLD}.json").read_text(encoding="utf-8"))["runs"]["late"]
    url = f"sqlite:///{path}"
    code, _, said = call("db", "upgrade", "--db", url)
    assert code == 0, said
    with contextlib.chdir(folder / "material"):
        asked = ("run", "models/late.keras", "--stimuli", "stimuli/manifest.csv", "--classes", "classes.txt")
        how = ("--preprocessing", "unit", "--layers", "main", "--layers", "branches", "--json", "--db", url)
        code, out, said = call(*asked, *how)
    assert code == 0, said
    new = json.loads(out)["run_id"]
    with open_store(url, read_only=True) as store:
        ours = {layer.name: layer.role for layer in store.list_layers(new)}
        layers = tuple(layer.name for layer in store.list_layers(old))
    assert layers == tuple(name for name, role in ours.items() if role != "logits")  # runs of today have them as well
    assert list(ours.values()).count("logits") == 1
    assert new != old
    return Mixed(url, old, new, layers)


def _make_material(folder: Path) -> None:
    """The network and the stimuli that the history was made with."""
    spec = importlib.util.spec_from_file_location("make_histories", HISTORIES / "make_histories.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_histories"] = module
    spec.loader.exec_module(module)
    module.make_material(folder)


def all_measures(registry: Registry) -> Iterator[Measure]:
    """Every comparator, each that compares matrices with every metric that needs no other run."""
    metrics = [metric.name for metric in registry.all(Metric) if metric.offer.needs_transform == "none"]
    for comparator in registry.all(Comparator):
        yield find_measure(registry, comparator.name)
        for metric in metrics if isinstance(comparator.offer, MetricComparator) else ():
            yield find_measure(registry, comparator.name, {}, metric)


def prepare(measure: Measure, representations: list[Representation]) -> list[Any]:
    """The measure's state of each layer, None where it is refused."""
    states = []
    for representation in representations:
        try:
            states.append(measure.prepare(representation))
        except InputError:
            states.append(None)
    return states


def values(measure: Measure, rows: list[Any], columns: list[Any]) -> Any:
    """(n, n) values, NaN where the measure is refused."""
    found = np.full((len(rows), len(columns)), np.nan)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if row is not None and column is not None:
                with contextlib.suppress(InputError):
                    found[i, j] = measure.compare(row, column)
    return found


def errors(measure: Measure, rows: list[Any], columns: list[Any]) -> Any:
    """(n, n) standard deviations of the values' errors, as far as the measure knows them; 0 where it is refused."""
    found = np.zeros((len(rows), len(columns)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if row is not None and column is not None:
                with contextlib.suppress(InputError):
                    found[i, j] = measure.error(measure.compare(row, column), row, column)
    return found


def test_every_measure_gives_of_an_old_run_what_it_gives_of_a_new_one_and_of_both(
    mixed: Mixed, subtests: pytest.Subtests
) -> None:
    layers = mixed.read(mixed.old), mixed.read(mixed.new)
    for measure in all_measures(load_plugins()):
        with subtests.test(str(measure.provider)):
            old, new = (prepare(measure, each) for each in layers)
            expected = values(measure, new, new)
            scale = max(np.nan_to_num(np.abs(expected)).max(), 1e-3)
            for rows, columns in ((old, old), (old, new), (new, old)):
                got = values(measure, rows, columns)
                assert np.array_equal(np.isnan(got), np.isnan(expected))
                known = ROUNDING * scale + SURE * errors(measure, rows, columns)
                assert np.all(np.nan_to_num(np.abs(got - expected)) < known)


def stored_correlations(mixed: Mixed, layer: str, n_stimuli: int) -> Any:
    """The strict upper triangle of the old run's matrix as schema 0009 wrote it, read by hand."""
    with open_store(mixed.url, read_only=True) as store:
        sql = (
            "SELECT data FROM tiles t JOIN representations p ON p.id = t.representation_id "
            f"JOIN layers l ON l.id = p.layer_id WHERE l.run_id = '{mixed.old}' AND l.name = '{layer}'"
        )
        planes = np.frombuffer(zlib.decompress(store.query(sql).item()), dtype=np.uint8)
    return planes.reshape(4, n_stimuli * (n_stimuli - 1) // 2).T.copy().view("<f4")[:, 0]


def test_an_old_run_has_the_correlations_that_were_stored_of_it(mixed: Mixed) -> None:
    for layer, old, new in zip(mixed.layers, mixed.read(mixed.old), mixed.read(mixed.new), strict=True):
        stored = stored_correlations(mixed, layer, old.n_stimuli)
        assert np.abs(strict_upper(old.correlation) - stored).max() < 1e-12
        assert np.abs(old.correlation - new.correlation).max() < 1e-5
        assert np.allclose(old.norm, new.norm, rtol=1e-5)
        assert np.allclose(old.mean, new.mean, rtol=1e-5)
        assert old.resolution.products > new.resolution.products


@pytest.mark.parametrize("measure", ["rsa-pearson", "cka", "procrustes"])
def test_layers_of_an_old_and_a_new_run_are_compared_on_the_command_line(mixed: Mixed, measure: str) -> None:
    asked = ("compare", mixed.old, mixed.new, "--layers", "main", "--with", measure, "--json", "--db", mixed.url)
    code, out, said = call(*asked)
    assert code == 0, said
    matrix = np.array(json.loads(out)["matrix"], dtype=float)
    assert matrix.shape[0] == matrix.shape[1]
    assert np.allclose(np.diagonal(matrix), 0 if measure == "procrustes" else 1, atol=ROUNDING)
