"""A representation survives being packed, bit by bit, and a damaged one is never taken for a whole one."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from layerwise.core.network.representation import Representation
from layerwise.core.network.resolution import Resolution
from layerwise.storage import tiles
from layerwise.storage.resolutions import read_resolution

FLOATS = hnp.from_dtype(np.dtype("<f4"), allow_subnormal=True)
SINGLE = np.dtype("<f4")
TYPES = st.sampled_from([np.float32, np.float64])


@st.composite
def representations(draw: Any) -> Representation:
    """Any symmetric matrix with the diagonal it must have, whatever the rest of it holds."""
    n_stimuli = draw(st.integers(1, 9))
    matrix = draw(hnp.arrays(draw(TYPES), (n_stimuli, n_stimuli), elements=FLOATS))
    mean, norm, deviation = (draw(hnp.arrays(np.float64, n_stimuli)) for _ in range(3))
    below = np.tril_indices(n_stimuli, -1)
    matrix[below] = matrix.T[below]
    np.fill_diagonal(matrix, np.inf if matrix.dtype == np.float32 else 0)
    resolution = Resolution(*draw(st.tuples(*[st.sampled_from([0.0, 2.0**-24, 0.1])] * 4)))
    return Representation(
        matrix, deviation, mean, norm, draw(st.integers(1, 2**40)), resolution, has_zero=draw(st.booleans())
    )


@given(representations(), st.sampled_from([8, 24, 56, tiles.TILE_BYTES]))
def test_unpacking_gives_back_what_was_packed(written: Representation, tile_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "TILE_BYTES", tile_bytes)
        packed = tiles.pack(written)
        assert max([tile.n_values for tile in packed.tiles], default=0) * written.entries.itemsize <= tile_bytes
        read = tiles.unpack(packed)
    assert read.entries.dtype == written.entries.dtype
    for name in ("entries", "deviation", "mean", "norm"):
        assert getattr(read, name).tobytes() == getattr(written, name).tobytes()
    assert read.n_features == written.n_features
    assert (read.resolution, read.has_zero) == (written.resolution, written.has_zero)


def test_a_changed_resolution_is_noticed(samples: Any) -> None:
    packed = tiles.pack(samples.representation())
    assert packed.resolution is not None
    finer = {**json.loads(packed.resolution), "activations": 0.0}
    with pytest.raises(tiles.TileError, match="checksum over all"):
        tiles.unpack(replace(packed, resolution=json.dumps(finer, sort_keys=True)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("null", "no object but null"),
        ("[1.0]", r"no object but \[1.0\]"),
        ('{"activations": 0.0, "products": 0.0, "near": 0.0}', "'least' is missing"),
        ('{"activations": 0.0, "products": 0.0, "near": 0.0, "least": 0.0, "far": 0.0}', "'far' is not known"),
        ('{"activations": "0.0"}', "'activations' is '0.0', no number from 0 on"),
        ('{"activations": true}', "'activations' is True, no number"),
        ('{"activations": NaN}', "'activations' is nan, no number"),
        ('{"activations": 1e999}', "'activations' is inf, no number"),
        ('{"activations": -1e-9}', "'activations' is -1e-09, no number"),
    ],
)
def test_a_resolution_that_is_none_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_resolution(text)


def test_a_form_of_a_later_version_is_named(samples: Any) -> None:
    packed = replace(tiles.pack(samples.representation()), form="angles/f2")
    with pytest.raises(tiles.TileError, match="'angles/f2', which this version does not know"):
        tiles.unpack(packed)


@given(hnp.arrays(np.float32, st.integers(1, 300), elements=FLOATS), st.data())
def test_no_flipped_bit_in_a_tile_goes_unnoticed(values: Any, data: Any) -> None:
    tile = tiles.encode_tile(values)
    assert tiles.decode_tile(tile, 0, SINGLE).tobytes() == values.tobytes()
    at = data.draw(st.integers(0, len(tile.data) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    damaged = replace(tile, data=tile.data[:at] + bytes([tile.data[at] ^ bit]) + tile.data[at + 1 :])
    with pytest.raises(tiles.TileError, match="tile 4 fails its checksum"):
        tiles.decode_tile(damaged, 4, SINGLE)


@given(hnp.arrays(np.float64, st.integers(0, 50)))
def test_vectors_survive_to_the_last_bit(vector: Any) -> None:
    assert tiles.decode_vector(tiles.encode_vector(vector)).tobytes() == vector.tobytes()


def test_tiles_in_the_wrong_order_are_noticed(monkeypatch: pytest.MonkeyPatch, samples: Any) -> None:
    monkeypatch.setattr(tiles, "TILE_BYTES", 40)
    packed = tiles.pack(samples.representation())
    swapped = (packed.tiles[1], packed.tiles[0], packed.tiles[2])
    with pytest.raises(tiles.TileError, match="checksum over all"):
        tiles.unpack(replace(packed, tiles=swapped))


def test_a_tile_that_unpacks_to_something_else_is_noticed() -> None:
    short, long, endless = (zlib.compress(bytes(size)) for size in (4, 100, tiles.TILE_BYTES + 1))
    for data, said in [
        (short, "4 bytes where 8"),
        (long, "100 bytes where 8"),
        (endless, f"cannot be decompressed: it holds more than the {tiles.TILE_BYTES} bytes"),
        (b"rubbish", "cannot be decompressed"),
    ]:
        with pytest.raises(tiles.TileError, match=said):
            tiles.decode_tile(tiles.Tile(2, zlib.crc32(data), data), 0, SINGLE)


def test_a_matrix_takes_less_room_than_it_is_long(samples: Any) -> None:
    for in_double, share in ((False, 0.9), (True, 0.95)):
        packed = tiles.pack(samples.representation(300, in_double=in_double))
        size = samples.representation(2, in_double=in_double).entries.itemsize
        assert sum(len(tile.data) for tile in packed.tiles) < share * size * 300 * 299 / 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tile_is_one_zlib_stream_whichever_of_its_planes_could_be_made_smaller(dtype: type) -> None:
    values = np.random.default_rng(0).uniform(0.1, 0.5, size=50_000).astype(dtype)
    tile = tiles.encode_tile(values)
    assert len(tile.data) < 0.95 * values.nbytes
    planes = values.view(np.uint8).reshape(-1, values.itemsize).T
    assert zlib.decompress(tile.data) == planes.tobytes()
    np.testing.assert_array_equal(tiles.decode_tile(tile, 0, values.dtype), values)
