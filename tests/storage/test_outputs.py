"""Outputs are kept whole and checked, go with their run, and variants say what they differ from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.baselines import find_baseline, list_variants
from layerwise.core.history.outputs import Outputs
from layerwise.core.history.records import RunFilter
from layerwise.core.history.variants import Variant
from layerwise.storage import Store


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_outputs_are_read_back_to_the_last_bit(store: Store, samples: Any, dtype: Any) -> None:
    claim = store.begin_run(samples.header())
    assert store.read_outputs(claim.run_id) is None
    written = samples.outputs(700, 500, dtype)  # more than one tile
    store.save_outputs(claim, samples.outputs())
    store.save_outputs(claim, written)
    read = store.read_outputs(claim.run_id)
    assert read is not None
    assert (read.layer, read.scale, read.values.dtype) == ("output", "probabilities", dtype)
    assert read.values.tobytes() == written.values.tobytes()
    with pytest.raises(ValueError, match="read-only"):
        read.values[0, 0] = 1
    assert store.read_outputs("nobody") is None


@pytest.mark.parametrize("values", [np.zeros(3, np.float32), np.zeros((2, 0), np.float32), np.zeros((2, 2), int)])
def test_what_are_no_outputs_is_refused(store: Store, samples: Any, values: Any) -> None:
    claim = store.begin_run(samples.header())
    with pytest.raises(LayerwiseError, match=r"outputs: values of .* are expected"):
        store.save_outputs(claim, Outputs("output", values))


def test_outputs_go_with_their_run(store: Store, samples: Any, execute: Any) -> None:
    claim = store.begin_run(samples.header(variant=Variant("a" * 64, ("mixed/1x1",), "zero"), origin="ablated"))
    store.save_outputs(claim, samples.outputs())
    store.finish_run(claim, {})
    store.delete_run(claim.run_id)
    for table in ("outputs", "output_tiles", "variants"):
        assert execute(f"SELECT count(*) FROM {table}") == [(0,)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE outputs SET scale = 'values'", "the checksum over all of them"),
        ("UPDATE outputs SET n_classes = 9", "tiles do not make up"),
        ("UPDATE outputs SET form = 'float64'", "the form 'float64'"),
        ("UPDATE output_tiles SET checksum = checksum + 1", "tile 0 fails its checksum"),
        ("DELETE FROM output_tiles", "0 tiles do not make up"),
    ],
)
def test_damaged_outputs_are_named_and_never_read_as_numbers(
    store: Store, samples: Any, execute: Any, change: str, said: str
) -> None:
    claim = store.begin_run(samples.header())
    store.save_outputs(claim, samples.outputs())
    store.finish_run(claim, {})
    assert store.verify() == []
    execute(change)
    [problem] = store.verify()
    assert problem.startswith(f"run {claim.run_id}, outputs are damaged: ")
    assert said in problem
    with pytest.raises(LayerwiseError, match="outputs are damaged"):
        store.read_outputs(claim.run_id)


def test_a_variant_is_found_from_its_baseline_and_the_other_way_round(store: Store, samples: Any) -> None:
    first = store.find_run(samples.finished_run(store))
    variant = Variant(first.model.fingerprint, ("mixed/1x1", "mixed/5x5"), "shuffle", 7)
    changed = {"model": samples.model(1), "variant": variant, "origin": "ablated"}
    assert find_baseline(store, first) is None
    run = store.find_run(samples.finished_run(store, "b" * 64, **changed))
    samples.finished_run(store, "c" * 64, **changed)  # the same again: the newest counts
    other = replace(variant, baseline="somebody else")
    samples.finished_run(store, "d" * 64, **{**changed, "variant": other})
    assert run.variant == variant
    assert run.variant.described == "mixed/1x1, mixed/5x5 taken from other stimuli (seed 7)"
    found = find_baseline(store, run)
    assert found is not None
    assert found.id == first.id
    [listed] = list_variants(store, first)
    assert listed.key == "c" * 64
    assert store.count_runs(RunFilter(model_fingerprint=first.model.fingerprint)) == 1
    store.delete_run(first.id)
    assert find_baseline(store, run) is None
