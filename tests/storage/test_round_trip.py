"""What is written is read back as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.provider import Provider
from layerwise.core.history.protocols import HistoryProtocol, RunStore
from layerwise.core.history.records import (
    Accuracy,
    Comparison,
    LayerAddress,
    LayerResult,
    Ordering,
    Prediction,
    RunFilter,
    StatisticResult,
    WeightResult,
)
from layerwise.core.network.resolution import Resolution
from layerwise.core.network.stimuli import Stimulus
from layerwise.storage import Store, tiles

NASTY = [
    'it\'s "quoted"; DROP TABLE runs;--',
    "two\nlines\tand\\slash",
    "\u202eright to left\u202c",
    "👩🏽‍🔬 📷",
    "%s {} ? :x",
    "",
]


def test_a_store_is_both_what_the_engine_writes_to_and_a_history(store: Store) -> None:
    writer: RunStore = store
    history: HistoryProtocol = store
    assert writer is history


def test_what_is_written_together_is_kept_as_a_whole_or_not_at_all(store: Store, samples: Any) -> None:
    claim = store.begin_run(samples.header())

    def write_and_stop() -> None:
        with store.write_together():
            store.save_layer(claim, samples.result("mixed"))
            store.finish_run(claim, {"stream": 1.0})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_stop()
    assert (store.list_layers(claim.run_id), store.find_run(claim.run_id).status) == ([], "running")
    with store.write_together():
        store.save_layer(claim, samples.result("mixed"))
        store.finish_run(claim, {"stream": 2.0})
    store.rest()
    assert [layer.name for layer in store.list_layers(claim.run_id)] == ["mixed"]
    assert store.find_run(claim.run_id).timings == {"stream": 2.0}


def test_a_run_is_read_back_with_everything_that_was_recorded(store: Store, samples: Any) -> None:
    header = samples.header()
    before = datetime.now(UTC)
    run = store.find_run(samples.finished_run(store))
    assert (run.key, run.status, run.model, run.loader) == (header.key, "finished", header.model, header.loader)
    assert (run.stimuli_name, run.stimuli_source, run.n_stimuli) == ("photos", "some/photos", 6)
    assert (run.stimuli_fingerprint, run.resize) == (header.stimuli.fingerprint, "squash")
    assert run.skipped == header.stimuli.skipped
    names = "transforms engine batch_size chunk_width command checkpoint step lineage tags versions plugins host"
    for name in names.split():
        assert getattr(run, name) == getattr(header, name)
    assert run.timings == {"stream": 2.0}
    assert (run.accuracy, run.error, run.n_layers) == (None, None, 5)
    assert run.finished_at is not None
    assert before - timedelta(seconds=1) <= run.started_at <= run.finished_at <= datetime.now(UTC)


def test_layers_are_read_back_in_order_with_what_is_known_of_the_graph(store: Store, samples: Any) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    for name in ("output", "mixed", "input"):
        store.save_layer(claim, samples.result(name))
    assert store.list_layers(run_id) == [samples.layers[0], samples.layers[3], samples.layers[4]]


@pytest.mark.parametrize("in_double", [False, True])
def test_a_representation_is_the_same_to_the_last_bit(
    store: Store, samples: Any, same: Any, *, in_double: bool
) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    written = samples.result("mixed", constant=(0, 4), in_double=in_double)
    store.save_layer(claim, written)
    read = store.read_representation(LayerAddress(run_id, "mixed"))
    assert np.isnan(read.correlation[4]).all()
    assert same(read, written.representation)


def test_a_representation_says_how_well_it_is_known_when_it_is_read_back(store: Store, samples: Any) -> None:
    claim = store.begin_run(samples.header())
    known = Resolution(2.0**-24, 1e-8, 1 / 3, 0.0)
    written = samples.result("mixed")
    written = replace(written, representation=replace(written.representation, resolution=known, has_zero=False))
    store.save_layer(claim, written)
    read = store.read_representation(LayerAddress(claim.run_id, "mixed"))
    assert (read.resolution, read.has_zero) == (known, False)


@pytest.mark.parametrize("error", [np.nan, np.inf, -1e-8])
def test_a_resolution_that_says_nothing_is_refused(store: Store, samples: Any, error: float) -> None:
    claim = store.begin_run(samples.header())
    bad = replace(samples.representation(), resolution=Resolution(near=error))
    with pytest.raises(LayerwiseError, match=f"run {claim.run_id}, layer 'mixed': .* of which 'near' is {error}"):
        store.save_layer(claim, LayerResult("mixed", "none", bad))
    assert store.list_layers(claim.run_id) == []


def test_a_representation_in_many_tiles_is_the_same_to_the_last_bit(
    store: Store, samples: Any, same: Any, execute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "TILE_BYTES", 7 * 8)
    claim = store.begin_run(samples.header(stimuli=samples.stimuli(13)))
    run_id = claim.run_id
    written = samples.result("mixed", n_stimuli=13, constant=(5,))
    store.save_layer(claim, written)
    assert execute("SELECT count(*) FROM tiles") == [(12,)]
    assert same(store.read_representation(LayerAddress(run_id, "mixed")), written.representation)


@pytest.mark.parametrize(("in_double", "sizes"), [(False, [2**20, 229824]), (True, [2**20, 2**20, 459648])])
def test_a_tile_never_holds_more_than_a_mebibyte_of_values(
    store: Store, samples: Any, same: Any, execute: Any, *, in_double: bool, sizes: list[int]
) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    written = samples.result("mixed", n_stimuli=800, in_double=in_double)
    store.save_layer(claim, written)
    counted = [n_values for (n_values,) in execute("SELECT n_values FROM tiles ORDER BY position")]
    assert [n_values * written.representation.entries.itemsize for n_values in counted] == sizes
    assert same(store.read_representation(LayerAddress(run_id, "mixed")), written.representation)


def test_a_single_stimulus_makes_a_representation_too(store: Store, samples: Any, same: Any) -> None:
    claim = store.begin_run(samples.header(stimuli=samples.stimuli(1)))
    run_id = claim.run_id
    written = samples.result("mixed", n_stimuli=1)
    store.save_layer(claim, written)
    assert same(store.read_representation(LayerAddress(run_id, "mixed")), written.representation)


def test_many_representations_come_in_the_order_asked_for(store: Store, samples: Any, same: Any) -> None:
    first, second = samples.finished_run(store), samples.finished_run(store, "b" * 64)
    addresses = [LayerAddress(second, "output"), LayerAddress(first, "input"), LayerAddress(second, "output")]
    read = store.read_representations(addresses)
    for got, address in zip(read, addresses, strict=True):
        assert same(got, store.read_representation(address))
    assert not same(read[0], read[1])
    assert store.read_representations([]) == []


def test_transforms_of_one_layer_are_kept_apart(store: Store, samples: Any, same: Any) -> None:
    claim = store.begin_run(samples.header(transforms=("none", "rank")))
    run_id = claim.run_id
    plain, ranked = samples.result("mixed"), samples.result("mixed", "rank", seed=9)
    store.save_layer(claim, plain)
    store.save_layer(claim, ranked)
    assert same(store.read_representation(LayerAddress(run_id, "mixed", "rank")), ranked.representation)
    assert same(store.read_representation(LayerAddress(run_id, "mixed")), plain.representation)
    assert store.find_run(run_id).n_layers == 1


def test_a_layer_saved_again_replaces_the_first(store: Store, samples: Any, same: Any, execute: Any) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    store.save_layer(claim, samples.result("mixed", version="1.0"))
    again = samples.result("mixed", version="2.0", seed=3)
    store.save_layer(claim, again)
    assert same(store.read_representation(LayerAddress(run_id, "mixed")), again.representation)
    assert {row.result.provider.version for row in store.read_statistics(run_id)} == {"2.0"}
    assert execute("SELECT count(*) FROM tiles") == [(1,)]


def test_a_matrix_that_could_not_be_given_back_is_refused(store: Store, samples: Any) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    good = samples.representation()
    lopsided = good.entries.copy()
    lopsided[0, 1] += 0.5
    for matrix, said in [(lopsided, "not symmetric"), (good.entries.astype(int), "int64")]:
        bad = replace(good, entries=matrix)
        with pytest.raises(LayerwiseError, match=f"run {run_id}, layer 'mixed'.*{said}"):
            store.save_layer(claim, LayerResult("mixed", "none", bad))
    assert store.list_layers(run_id) == []


def test_addresses_that_are_not_there_are_named_with_what_is_near(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    with pytest.raises(InputError, match="no stored layer 'mixd'; did you mean mixed"):
        store.read_representation(LayerAddress(run_id, "mixd"))
    with pytest.raises(InputError, match="not stored under 'rank', only under none"):
        store.read_representation(LayerAddress(run_id, "mixed", "rank"))


def test_statistics_are_read_back_with_their_vectors(store: Store, samples: Any) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    written = samples.result("mixed")
    store.save_layer(claim, written)
    read = store.read_statistics(run_id)
    assert [(row.layer, row.transform) for row in read] == [("mixed", "none")] * 3
    for row, statistic in zip(read, written.statistics, strict=True):
        assert vars(replace(row.result, vector=None)) == vars(replace(statistic, vector=None))
    assert read[2].result.vector is not None
    assert read[2].result.vector.tobytes() == written.statistics[2].vector.tobytes()


def test_a_vector_with_two_axes_is_refused_by_name(store: Store, samples: Any) -> None:
    claim = store.begin_run(samples.header())
    bad = StatisticResult("profile", samples.provider("p"), 1.0, vector=np.zeros((2, 2)))
    with pytest.raises(LayerwiseError, match=r"statistic 'profile': a vector of shape \(2, 2\)"):
        store.save_layer(claim, LayerResult("mixed", "none", samples.representation(), (bad,)))


def test_stimuli_are_read_back_in_order(store: Store, samples: Any) -> None:
    loaded = samples.stimuli()
    run_id = samples.finished_run(store)
    read = store.list_stimuli(run_id)
    assert [row.position for row in read] == list(range(6))
    assert tuple(Stimulus(row.name, row.label) for row in read) == loaded.stimuli
    assert tuple(row.thumbnail for row in read) == loaded.thumbnails
    assert tuple(row.content_hash for row in read) == loaded.content_hashes


def test_predictions_and_accuracy_are_read_back(store: Store, samples: Any) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    written = [
        Prediction(position, rank, np.int64(7), None, np.float32(0.5)) for position in (1, 0) for rank in (2, 1)
    ]
    store.save_predictions(claim, written, Accuracy(0.5, 1.0, 4))
    store.save_predictions(claim, written, Accuracy(0.25, 0.75, 4))
    assert store.read_predictions(run_id) == sorted(written, key=lambda row: (row.position, row.rank))
    assert store.find_run(run_id).accuracy == Accuracy(0.25, 0.75, 4)


def weight(samples: Any, name: str, position: int, revision: int, value: float) -> WeightResult:
    statistics = (
        StatisticResult("std", samples.provider("weights", revision=revision), value, vector=np.arange(64.0)),
    )
    return WeightResult(name, name.split("/", maxsplit=1)[0], (3, 3, 2), position, statistics)


def test_weights_belong_to_the_model_and_each_run_reads_its_own_revision(store: Store, samples: Any) -> None:
    old, new = samples.finished_run(store), samples.header("b" * 64)
    first = store.begin_run(samples.header("c" * 64))
    store.save_weights(first, [weight(samples, "b/kernel", 1, 1, 1.0), weight(samples, "a/kernel", 0, 1, 2.0)])
    second = store.begin_run(new)
    store.save_weights(second, [weight(samples, "a/kernel", 0, 2, 3.0), weight(samples, "b/kernel", 1, 2, 4.0)])
    assert [(row.name, row.layer, row.shape, row.position) for row in store.read_weights(first.run_id)] == [
        ("a/kernel", "a", (3, 3, 2), 0),
        ("b/kernel", "b", (3, 3, 2), 1),
    ]
    values = [[row.statistics[0].value for row in store.read_weights(run.run_id)] for run in (first, second)]
    assert values == [[2.0, 1.0], [3.0, 4.0]]
    assert all(len(row.statistics) == 1 for row in store.read_weights(second.run_id))
    assert [row.statistics for row in store.read_weights(old)] == [(), ()]
    assert np.array_equal(store.read_weights(first.run_id)[0].statistics[0].vector, np.arange(64.0))


def test_comparisons_are_replaced_by_pair_and_kept_apart_by_revision(store: Store, samples: Any) -> None:
    one, two = samples.finished_run(store), samples.finished_run(store, "b" * 64)
    cka, newer = samples.provider("cka"), samples.provider("cka", revision=2)
    a, b = LayerAddress(one, "input"), LayerAddress(two, "output")
    store.save_comparisons([Comparison(cka, a, b, 0.1), Comparison(cka, a, a, np.float64(1.0))])
    store.save_comparisons([Comparison(cka, a, b, None, "too few stimuli"), Comparison(newer, a, b, 0.9)])
    assert store.read_comparisons(cka, [one, two]) == [
        *sorted(
            [Comparison(cka, a, a, 1.0), Comparison(cka, a, b, None, "too few stimuli")],
            key=lambda row: (row.second.run_id, row.second.layer),
        )
    ]
    assert store.read_comparisons(cka, [one]) == [Comparison(cka, a, a, 1.0)]
    assert store.read_comparisons(newer, [one, two]) == [Comparison(newer, a, b, 0.9)]
    store.save_comparisons([])


def test_comparisons_and_orderings_are_kept_apart_by_settings(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    here = LayerAddress(run_id, "input")
    plain = samples.provider("svcca")
    other = Provider(plain.name, plain.version, '{"variance":0.5}')
    store.save_comparisons(
        [Comparison(plain, here, here, 0.1, "input: few stimuli"), Comparison(other, here, here, 0.2)]
    )
    store.save_comparisons([Comparison(other, here, here, 0.3)])
    assert store.read_comparisons(plain, [run_id]) == [Comparison(plain, here, here, 0.1, "input: few stimuli")]
    assert store.read_comparisons(other, [run_id]) == [Comparison(other, here, here, 0.3)]
    n_stimuli = store.find_run(run_id).n_stimuli
    orderings = [Ordering(who, here, tuple(range(n_stimuli))) for who in (plain, other)]
    for ordering in orderings:
        store.save_ordering(ordering)
    assert store.read_orderings(run_id) == sorted(orderings, key=lambda ordering: ordering.reorderer.parameters)


def test_what_was_computed_from_a_representation_goes_when_it_is_replaced(store: Store, samples: Any) -> None:
    claim = store.begin_run(samples.header())
    run_id = claim.run_id
    store.save_layer(claim, samples.result("mixed"))
    here = LayerAddress(run_id, "mixed")
    store.save_comparisons([Comparison(samples.provider("cka"), here, here, 1.0)])
    store.save_layer(claim, samples.result("mixed", seed=5))
    assert store.read_comparisons(samples.provider("cka"), [run_id]) == []


def test_orderings_are_read_back_and_replaced(store: Store, samples: Any) -> None:
    run_id = samples.finished_run(store)
    by = samples.provider("linkage")
    store.save_ordering(Ordering(by, LayerAddress(run_id, "output"), (0, 1, 2, 3, 4, 5)))
    kept = Ordering(by, LayerAddress(run_id, "output"), tuple(np.array([5, 4, 3, 2, 1, 0])))
    first = Ordering(by, LayerAddress(run_id, "input"), (1, 0, 2, 3, 4, 5))
    store.save_ordering(kept)
    store.save_ordering(first)
    assert store.read_orderings(run_id) == [first, kept]
    with pytest.raises(InputError, match="no stored layer 'nothing'"):
        store.save_ordering(Ordering(by, LayerAddress(run_id, "nothing"), ()))


@pytest.mark.parametrize("name", NASTY)
def test_any_text_is_read_back_as_it_was(store: Store, samples: Any, name: str) -> None:
    layer = replace(samples.layers[0], name=name, block=name, node=name)
    stimuli = samples.stimuli(
        2, name=name, source=name, stimuli=(Stimulus(name, name), Stimulus("x")), skipped=(name,)
    )
    model = samples.model(name=name, class_names=(name,))
    header = samples.header(
        layers=(layer,), stimuli=stimuli, model=model, tags={name: name}, command=name, lineage=name
    )
    claim = store.begin_run(header)
    run_id = claim.run_id
    store.save_layer(claim, samples.result(name, n_stimuli=2))
    store.finish_run(claim, {name: 1.0})
    run = store.find_run(run_id)
    assert (run.tags, run.command, run.model, run.timings) == ({name: name}, name, model, {name: 1.0})
    assert (run.stimuli_name, run.skipped) == (name, (name,))
    assert store.list_layers(run_id) == [layer]
    assert store.list_stimuli(run_id)[0].name == name
    assert [row.id for row in store.list_runs(RunFilter(lineage=name, tags={name: name}))] == [run_id]


@pytest.mark.database
def test_nasty_text_is_intact(store: Store, samples: Any) -> None:
    for key, name in zip("abcdef", NASTY, strict=True):
        stimuli = samples.stimuli(1, name=name, stimuli=(Stimulus(name, name),), skipped=(name,))
        samples.finished_run(store, key * 64, stimuli=stimuli, model=samples.model(name=name), tags={name: name})
    assert store.verify() == []


@pytest.mark.database
def test_text_that_is_no_unicode_is_a_clear_error(store: Store, samples: Any) -> None:
    with pytest.raises(InputError, match=r"x\\udcff.* is not valid Unicode"):
        store.begin_run(samples.header(command="x\udcff"))
