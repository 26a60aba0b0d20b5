"""Decoding a whole set: what stops, what is skipped, what comes out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from layerwise.core.base.errors import InputError, PixelRangeError, PluginError, StimulusError
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.host.kinds import StimulusSource
from layerwise.core.host.registry import Registry
from layerwise.core.network.stimuli import Decoded, Stimulus, StimulusSet
from layerwise.core.runs.decode.stimuli import load_stimuli
from layerwise.plugins import sources


class Given(StimulusSet):
    """Stimuli named after their index; each item is what decoding it gives, or raises."""

    def __init__(self, items: list, names: list[str] | None = None) -> None:
        self.name = self.source = "given"
        self.items = items
        self.stimuli = tuple(Stimulus(name) for name in names or [f"s{i}" for i in range(len(items))])

    def decode(self, index, size, resize):
        item = self.items[index]
        if isinstance(item, Exception):
            raise item
        return item


def registry_with(listed: object) -> Registry:
    class Source(StimulusSource):
        name = "given"
        description = "what the test gives"

        def accepts(self, location):
            return location == "given"

        def open(self, location):
            return listed

    registry = Registry()
    plugin = SimpleNamespace(register_stimulus_sources=hookimpl(lambda: [Source()]))
    registry.register(plugin, "toy", "toy-dist", "1")
    return registry


def item(value: float = 7, dtype: type = np.uint8, shape: tuple[int, ...] = (4, 5, 3)) -> Decoded:
    return Decoded(np.full(shape, value, dtype), b"jpeg", f"hash {value}")


def load(listed: object, **options):
    return load_stimuli(registry_with(listed), "given", (4, 5), "squash", **options)


def test_all_stimuli_come_out_in_order():
    loaded = load(Given([item(value) for value in range(20)]))
    assert loaded.pixels.shape == (20, 4, 5, 3)
    assert loaded.pixels.dtype == np.uint8
    assert loaded.read(0, loaded.n_stimuli)[:, 0, 0, 0].tolist() == list(range(20))
    assert loaded.content_hashes[3] == "hash 3"
    assert loaded.skipped == ()


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_fractional_stimulus_makes_all_of_them_float32(position):
    items = [item(value) for value in (1, 2, 3)]
    items[position] = item(0.5, np.float32)
    loaded = load(Given(items))
    expected = [1.0, 2.0, 3.0]
    expected[position] = 0.5
    assert loaded.pixels.dtype == np.float32
    assert loaded.read(0, 3)[:, 3, 4, 2].tolist() == expected


def test_everything_that_cannot_be_decoded_is_listed_at_once():
    items = [item(1), StimulusError("is torn"), item(2), StimulusError("is wet")]
    with pytest.raises(InputError, match=r"(?s)2 of 4 stimuli at given.*\n  s1: is torn\n  s3: is wet$"):
        load(Given(items))


def test_a_long_list_of_failures_is_cut():
    with pytest.raises(InputError, match=r"and 25 more$") as caught:
        load(Given([StimulusError("is torn")] * 75))
    assert str(caught.value).count("\n") == 51


def test_bad_stimuli_can_be_skipped_and_are_recorded():
    loaded = load(Given([item(1), StimulusError("is torn"), item(2)]), skip_bad=True)
    assert loaded.skipped == ("s1: is torn",)
    assert [stimulus.name for stimulus in loaded.stimuli] == ["s0", "s2"]
    assert loaded.read(0, loaded.n_stimuli)[:, 0, 0, 0].tolist() == [1, 2]
    assert len(loaded.thumbnails) == len(loaded.content_hashes) == 2


def test_fewer_than_two_stimuli_are_refused():
    with pytest.raises(InputError, match="1 of 2 stimuli can be used, at least 2 are needed"):
        load(Given([item(1), StimulusError("is torn")]), skip_bad=True)
    with pytest.raises(InputError, match="limit of 1"):
        load(Given([item(1), item(2)]), limit=1)


def test_a_limit_takes_the_first_ones_and_looks_at_no_others():
    items = [item(1), item(2), item(3), StimulusError("is torn")]
    assert load(Given(items), limit=3).n_stimuli == 3


def test_progress_is_told_after_every_stimulus():
    seen = []
    load(Given([item(1), StimulusError("is torn"), item(2)]), skip_bad=True, progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_the_fingerprint_depends_on_content_and_order_only():
    one = load(Given([item(1), item(2)])).fingerprint
    assert load(Given([item(1), item(2)], ["x", "y"])).fingerprint == one
    assert load(Given([item(2), item(1)])).fingerprint != one
    assert load(Given([item(1), item(2), item(3)]), limit=2).fingerprint == one


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        (None, "given.open returned NoneType None, expected a StimulusSet"),
        (Given([item(), item()], ["a", "a"]), "lists 'a' twice"),
        (Given([item(), item(shape=(4, 4, 3))]), r"shape \(4, 4, 3\), expected an array"),
        (Given([item(), item(9.5, np.float64)]), "float64.*expected uint8 or float32"),
        (Given([item(), item(np.nan, np.float32)]), "not finite"),
        (Given([item(), item(300, np.float32)]), "values from 300 to 300, expected values from 0 to 255"),
        (Given([item(), "pixels"]), "given.decode returned str 'pixels'"),
        (Given([item(), ZeroDivisionError("oops")]), "raised ZeroDivisionError: oops"),
    ],
)
def test_what_a_source_gets_wrong_names_its_plugin(listed, message):
    with pytest.raises(PluginError, match=rf"(?s)plugin 'toy' \(register_stimulus_sources\): .*{message}"):
        load(listed)


def test_a_location_that_is_not_there_and_one_that_nobody_reads_are_told_apart(tmp_path):
    registry = Registry()
    registry.register(sources, "sources", "layerwise", "1")
    with pytest.raises(InputError, match="no such file or folder"):
        load_stimuli(registry, str(tmp_path / "gone"), (4, 4), "squash")
    (tmp_path / "film.mov").write_bytes(b"")
    with pytest.raises(InputError, match=r"no stimulus source reads .*film.mov \(image-folder: a folder of images"):
        load_stimuli(registry, str(tmp_path / "film.mov"), (4, 4), "squash")


def test_a_folder_with_a_broken_and_an_empty_file_lists_both(tmp_path: Path):
    registry = Registry()
    registry.register(sources, "sources", "layerwise", "1")
    for index in range(3):
        Image.new("RGB", (9, 9), (index, 0, 0)).save(tmp_path / f"{index}.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "0.png").read_bytes()[:40])
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"(?s)2 of 5.*broken.png: .*empty.jpg: is empty"):
        load_stimuli(registry, str(tmp_path), (4, 4), "squash")
    assert load_stimuli(registry, str(tmp_path), (4, 4), "squash", skip_bad=True).n_stimuli == 3


@pytest.mark.data
def test_five_hundred_real_photos_are_decoded(data_dir):
    registry = Registry()
    registry.register(sources, "sources", "layerwise", "1")
    loaded = load_stimuli(registry, str(data_dir / "imagenet500"), (224, 224), "squash")
    assert loaded.pixels.shape == (500, 224, 224, 3)
    assert loaded.pixels.dtype == np.uint8
    assert len(set(loaded.content_hashes)) == len(set(loaded.labels)) == 500
    grey = [(photo == photo[..., :1]).all() for photo in loaded.read(0, 500)]
    assert 3 < sum(grey) < 30
    assert all(len(thumbnail) < 10_000 for thumbnail in loaded.thumbnails)


def test_values_that_are_no_pixels_are_one_line_however_many_stimuli_have_them():
    items = [item(1), *[PixelRangeError(low, 256) for low in range(-1, 59)]]
    with pytest.raises(
        InputError, match=r"^given.* has values from -1 to 256, expected 0 to 255 \(60 of 61"
    ) as caught:
        load(Given(items))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="\n  s3: is torn"):
        load(Given([*items[:60:20], StimulusError("is torn")]))
