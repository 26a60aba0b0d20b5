"""A representation as bytes: the strict upper triangle of its matrix, in tiles, shuffled and compressed.

The diagonal is not stored, because it is known. Values are laid out byte by byte (all first bytes, all second bytes,
...) before zlib sees them, which the slowly varying exponents of similarities reward. A tile holds at most 1 MiB of
values, so that no database's limit for one value is ever met, whatever the number of stimuli.

Two forms are read: dissimilarities about the mean stimulus, which are written, and the correlations that histories
held before.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from layerwise.core.base.opening import inflate
from layerwise.core.history.checks import check_representation, check_vector, diagonal_of
from layerwise.storage.resolutions import read_resolution, write_resolution

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.representation import Representation

    Number = TypeVar("Number", bound=np.generic)
else:
    Number = TypeVar("Number")

TILE_BYTES = 1 << 20
_LEVEL = 1
_SAMPLE, _WORTH_IT = 1 << 12, 0.97  # bytes of a plane that are tried, and what they must shrink to
_LONGEST_VECTOR = 2**26  # bytes of float64, a number for each stimulus or direction
_HEADER, _LAST_BLOCK = b"\x78\x01", b"\x03\x00"  # of a zlib stream (RFC 1950), and an empty last block (RFC 1951)
_SINGLE, _DOUBLE, CORRELATION = "compact/f4", "dissimilarity/f8", "correlation"
_TYPES = {_SINGLE: "<f4", _DOUBLE: "<f8", CORRELATION: "<f4"}


def tile_size(dtype: np.dtype[np.floating]) -> int:
    """How many values a tile has, but for the last one."""
    return TILE_BYTES // dtype.itemsize


class TileError(ValueError):
    """Stored bytes are not what was once written; the message says which part."""


@dataclass(frozen=True)
class Tile:
    """A stretch of the upper triangle.

    Attributes:
        n_values: Number of values.
        checksum: CRC-32 of `data`.
        data: Shuffled and compressed values.
    """

    n_values: int
    checksum: int
    data: bytes


@dataclass(frozen=True)
class Packed:
    """A representation as bytes.

    Attributes:
        n_features: Number of units.
        mean: Little-endian float64, one per stimulus.
        norm: Likewise.
        tiles: The strict upper triangle, row by row.
        checksum: Hex SHA-256 over all of it, before compression.
        form: What the matrix holds, and in which type.
        deviation: Like `mean`; None for correlations.
        resolution: How well it is known, as JSON; None for correlations.
        n_landmarks: Of how many stimuli the tiles hold rows; None of all.
    """

    n_features: int
    mean: bytes
    norm: bytes
    tiles: Sequence[Tile]
    checksum: str
    form: str = CORRELATION
    deviation: bytes | None = None
    resolution: str | None = None
    n_landmarks: int | None = None


def pack(representation: Representation) -> Packed:
    """A representation to bytes.

    Raises:
        ValueError: If its matrix is not symmetric, or its diagonal not 0: it could not be given back as it is.
    """
    import numpy as np

    from layerwise.core.network.representation import strict_upper

    check_representation(representation)
    packed, dtype = describe_layer(representation)
    values = np.asarray(strict_upper(representation.entries), dtype=dtype)
    n_values = tile_size(values.dtype)
    tiles = tuple(encode_tile(values[at : at + n_values]) for at in range(0, len(values), n_values))
    return replace(packed, tiles=tiles, checksum=_digest(packed, values))


def describe_layer(layer: Pairs) -> tuple[Packed, np.dtype[np.floating]]:
    """A layer's vectors and numbers as bytes, without tiles, and the type of the values in these."""
    import numpy as np

    form = _SINGLE if layer.entry_type == np.float32 else _DOUBLE
    mean, norm, deviation = (
        np.asarray(vector, dtype="<f8").tobytes() for vector in (layer.mean, layer.norm, layer.deviation)
    )
    resolution = write_resolution(layer)
    described = Packed(layer.n_features, mean, norm, (), "", form, deviation, resolution, layer.landmarks)
    return described, np.dtype(_TYPES[form])


def unpack(packed: Packed) -> Representation:
    """Bytes to the very representation they were made of.

    Raises:
        TileError: If a checksum fails or something is missing.
    """
    values = read_values(packed)
    mean, norm = _floats(packed.mean, "mean"), _floats(packed.norm, "norm")
    if packed.form == CORRELATION:
        return _from_correlations(packed, values, mean, norm)
    return _from_dissimilarities(packed, values, mean, norm)


def read_values(packed: Packed) -> NDArray[np.floating]:
    """The values of all tiles, as they were written.

    Raises:
        TileError: If a checksum fails or something is missing.
    """
    if packed.form not in _TYPES:
        raise TileError(f"it has the form '{packed.form}', which this version does not know")
    values = _unpack_values(packed)
    if _digest(packed, values) != packed.checksum:
        raise TileError("the checksum over all of it does not match")
    return values


def _from_correlations(
    packed: Packed, values: NDArray[np.floating], mean: NDArray[np.float64], norm: NDArray[np.float64]
) -> Representation:
    import numpy as np

    from layerwise.core.network.matrices.correlations import from_correlations

    if packed.deviation is not None or packed.resolution is not None:
        raise TileError("it has deviations or a resolution, which correlations have not")
    correlation = symmetric_matrix(values, np.where(norm > 0, 1, np.nan))
    return from_correlations(correlation, mean, norm, packed.n_features)


def _from_dissimilarities(
    packed: Packed, values: NDArray[np.floating], mean: NDArray[np.float64], norm: NDArray[np.float64]
) -> Representation:
    import numpy as np

    matrix = symmetric_matrix(values, np.full(len(mean), diagonal_of(values.dtype)))
    return _describe(packed, matrix, mean, norm)


def _describe(
    packed: Packed, matrix: NDArray[np.floating], mean: NDArray[np.float64], norm: NDArray[np.float64]
) -> Representation:
    from layerwise.core.network.representation import Representation

    deviation = _floats(packed.deviation or b"", "deviation")
    if len(deviation) != len(mean):
        raise TileError(f"{len(deviation)} deviations of {len(mean)} stimuli")
    try:
        resolution, has_zero = read_resolution(packed.resolution or "")
    except ValueError as error:
        raise TileError(f"its resolution cannot be read: {error}") from error
    return Representation(matrix, deviation, mean, norm, packed.n_features, resolution, has_zero)


def unpack_head(packed: Packed) -> tuple[Representation, np.dtype[np.floating]] | None:
    """A layer's vectors and numbers with no entries, and the type of its values; None where these are correlations.

    Raises:
        TileError: If something of it cannot be read.
    """
    import numpy as np

    if packed.form not in (_SINGLE, _DOUBLE):
        return None
    vectors = [_floats(packed.mean, "mean"), _floats(packed.norm, "norm")]
    nothing = np.empty(0, dtype=_TYPES[packed.form])
    return _describe(packed, np.broadcast_to(nothing, (0, 0)), *vectors), nothing.dtype


def _unpack_values(packed: Packed) -> NDArray[np.floating]:
    """The values of all tiles, (n (n - 1) / 2,); fewer with landmarks."""
    import numpy as np

    from layerwise.core.network.matrices.landmarks import count_pairs

    n_stimuli, dtype = len(packed.mean) // 8, np.dtype(_TYPES[packed.form])
    n_values, n_each = count_pairs(n_stimuli, packed.n_landmarks), tile_size(dtype)
    # Told from the numbers, before there is room for values: a damaged mean can stand for any number of stimuli.
    found = [tile.n_values for tile in packed.tiles]
    is_whole = sum(found) == n_values and set(found[:-1]) <= {n_each} and all(0 < one <= n_each for one in found)
    if not is_whole or len(packed.norm) != len(packed.mean):
        raise TileError(f"{len(packed.tiles)} tiles do not make up {n_stimuli} stimuli")
    values = np.empty(n_values, dtype=dtype)
    for index, tile in enumerate(packed.tiles):
        values[index * n_each : index * n_each + tile.n_values] = decode_tile(tile, index, dtype)
    return values


def symmetric_matrix(values: NDArray[Number], diagonal: NDArray[np.floating]) -> NDArray[Number]:
    """The (n, n) matrix with these values above and below the diagonal."""
    import numpy as np

    size = len(diagonal)
    matrix = np.empty((size, size), dtype=values.dtype)
    at = 0
    for row in range(size - 1):
        width = size - 1 - row
        matrix[row, row + 1 :] = values[at : at + width]
        matrix[row + 1 :, row] = values[at : at + width]
        at += width
    np.fill_diagonal(matrix, diagonal)
    return matrix


def encode_tile(values: NDArray[np.floating]) -> Tile:
    """Shuffle and compress a stretch of values."""
    import numpy as np

    planes = np.ascontiguousarray(values.view(np.uint8).reshape(-1, values.itemsize).T)
    data = _compress(planes)
    return Tile(len(values), zlib.crc32(data), data)


def _compress(planes: NDArray[np.uint8]) -> bytes:
    """One zlib stream of all planes, (itemsize, n_values); those that cannot be made smaller lie in it as they are.

    The lower digits of numbers are noise, on which zlib would spend nine tenths of its time for nothing.
    """
    if planes.shape[1] < _SAMPLE:
        return zlib.compress(planes.data, _LEVEL)
    parts, check = [_HEADER], 1
    for plane in planes:
        some = zlib.compress(plane[:_SAMPLE].data, _LEVEL)
        level = _LEVEL if len(some) < _WORTH_IT * _SAMPLE else 0
        deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        parts += [deflate.compress(plane.data), deflate.flush(zlib.Z_FULL_FLUSH)]
        check = zlib.adler32(plane.data, check)
    return b"".join([*parts, _LAST_BLOCK, check.to_bytes(4, "big")])


def decode_tile(tile: Tile, index: int, dtype: np.dtype[np.floating]) -> NDArray[np.floating]:
    """The values of a tile, which are of this type.

    Raises:
        TileError: If its checksum fails; `index` is named in the message.
    """
    import numpy as np

    if zlib.crc32(tile.data) != tile.checksum:
        raise TileError(f"tile {index} fails its checksum")
    size = dtype.itemsize * tile.n_values
    try:
        planes = inflate(tile.data, max(size, TILE_BYTES))  # never more than any tile has; what it has, is said
    except zlib.error as error:
        raise TileError(f"tile {index} cannot be decompressed: {error}") from error
    if len(planes) != size:
        raise TileError(f"tile {index} has {len(planes)} bytes where {size} are expected")
    shuffled = np.frombuffer(planes, dtype=np.uint8).reshape(dtype.itemsize, tile.n_values)
    return np.ascontiguousarray(shuffled.T).view(dtype).reshape(-1)


def encode_vector(vector: NDArray[np.float64]) -> bytes:
    """Compress a vector of float64.

    Raises:
        ValueError: If it has more than one axis.
    """
    import numpy as np

    check_vector(vector)
    return zlib.compress(np.ascontiguousarray(vector, dtype="<f8").data, _LEVEL)


def decode_vector(data: bytes) -> NDArray[np.float64]:
    """The vector that `encode_vector` compressed.

    Raises:
        TileError: If the bytes are damaged.
    """
    try:
        return _floats(inflate(data, _LONGEST_VECTOR), "vector")
    except zlib.error as error:
        raise TileError(f"vector cannot be decompressed: {error}") from error


def _floats(data: bytes, what: str) -> NDArray[np.float64]:
    import numpy as np

    if len(data) % 8:
        raise TileError(f"{what} has {len(data)} bytes, which is no number of float64 values")
    return np.frombuffer(data, dtype="<f8").astype(np.float64)


def _digest(packed: Packed, values: NDArray[np.floating]) -> str:
    import numpy as np

    digest = begin_digest(packed)
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def begin_digest(packed: Packed) -> hashlib._Hash:
    """The checksum over all of it, before the values of its tiles, which come in their order."""
    digest = hashlib.sha256(f"{packed.n_features} ".encode())
    if packed.form != CORRELATION:
        digest.update(f"{packed.form} {packed.resolution} ".encode())
        digest.update(packed.deviation or b"")
    if packed.n_landmarks is not None:
        digest.update(f"{packed.n_landmarks} landmarks ".encode())
    digest.update(packed.mean)
    digest.update(packed.norm)
    return digest
