"""A matrix of correlations as bytes: its strict upper triangle, in tiles, shuffled and compressed.

The diagonal is not stored, because it is known: 1, and NaN for stimuli with constant activations, whose norm is
not positive. Values are laid out byte by byte (all first bytes, all second bytes, ...) before zlib sees them,
which the slowly varying exponents of correlations reward. A tile holds at most 1 MiB of values, so
that no database's limit for one value is ever met, whatever the number of stimuli.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerwise.core.history.checks import check_representation, check_vector, diagonal_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.network.representation import Representation

TILE_VALUES = 1 << 18
_LEVEL = 1


class TileError(ValueError):
    """Stored bytes are not what was once written; the message says which part."""


@dataclass(frozen=True)
class Tile:
    """A stretch of the upper triangle.

    Attributes:
        n_values: Number of values.
        checksum: CRC-32 of `data`.
        data: Shuffled and compressed float32 values.
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
    """

    n_features: int
    mean: bytes
    norm: bytes
    tiles: tuple[Tile, ...]
    checksum: str


def pack(representation: Representation) -> Packed:
    """A representation to bytes.

    Raises:
        ValueError: If its matrix is not symmetric, not float32, or has another diagonal than it must have, so
            that it could not be given back as it is.
    """
    import numpy as np

    from layerwise.core.network.representation import strict_upper

    check_representation(representation)
    values = np.asarray(strict_upper(representation.correlation), dtype="<f4")
    mean = np.asarray(representation.mean, dtype="<f8").tobytes()
    norm = np.asarray(representation.norm, dtype="<f8").tobytes()
    tiles = tuple(encode_tile(values[at : at + TILE_VALUES]) for at in range(0, len(values), TILE_VALUES))
    checksum = _digest(representation.n_features, mean, norm, values)
    return Packed(representation.n_features, mean, norm, tiles, checksum)


def unpack(packed: Packed) -> Representation:
    """Bytes to the very representation they were made of.

    Raises:
        TileError: If a checksum fails or something is missing.
    """
    import numpy as np

    from layerwise.core.network.representation import Representation

    mean = _floats(packed.mean, "mean")
    norm = _floats(packed.norm, "norm")
    n_stimuli = len(mean)
    values = np.empty(n_stimuli * (n_stimuli - 1) // 2, dtype=np.float32)
    expected = [min(TILE_VALUES, len(values) - at) for at in range(0, len(values), TILE_VALUES)]
    if [tile.n_values for tile in packed.tiles] != expected or len(norm) != n_stimuli:
        raise TileError(f"{len(packed.tiles)} tiles do not make up {n_stimuli} stimuli")
    for index, tile in enumerate(packed.tiles):
        values[index * TILE_VALUES : index * TILE_VALUES + tile.n_values] = decode_tile(tile, index)
    if _digest(packed.n_features, packed.mean, packed.norm, values) != packed.checksum:
        raise TileError("the checksum over all of it does not match")
    return Representation(symmetric_matrix(values, norm), mean, norm, packed.n_features)


def symmetric_matrix(values: NDArray[np.float32], norm: NDArray[np.float64]) -> NDArray[np.float32]:
    """The (n, n) matrix with these values above and below the diagonal, which follows from the norms."""
    import numpy as np

    size = len(norm)
    matrix = np.empty((size, size), dtype=np.float32)
    at = 0
    for row in range(size - 1):
        width = size - 1 - row
        matrix[row, row + 1 :] = values[at : at + width]
        matrix[row + 1 :, row] = values[at : at + width]
        at += width
    np.fill_diagonal(matrix, diagonal_of(norm))
    return matrix


def encode_tile(values: NDArray[np.float32]) -> Tile:
    """Shuffle and compress a stretch of float32 values."""
    import numpy as np

    planes = np.ascontiguousarray(values.view(np.uint8).reshape(-1, 4).T)
    data = zlib.compress(planes.data, _LEVEL)
    return Tile(len(values), zlib.crc32(data), data)


def decode_tile(tile: Tile, index: int = 0) -> NDArray[np.float32]:
    """The values of a tile.

    Raises:
        TileError: If its checksum fails; `index` is named in the message.
    """
    import numpy as np

    if zlib.crc32(tile.data) != tile.checksum:
        raise TileError(f"tile {index} fails its checksum")
    try:
        planes = zlib.decompress(tile.data, bufsize=max(1, 4 * tile.n_values))
    except zlib.error as error:
        raise TileError(f"tile {index} cannot be decompressed: {error}") from error
    if len(planes) != 4 * tile.n_values:
        raise TileError(f"tile {index} has {len(planes)} bytes where {4 * tile.n_values} are expected")
    shuffled = np.frombuffer(planes, dtype=np.uint8).reshape(4, tile.n_values)
    return np.ascontiguousarray(shuffled.T).view("<f4").reshape(-1)


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
        return _floats(zlib.decompress(data), "vector")
    except zlib.error as error:
        raise TileError(f"vector cannot be decompressed: {error}") from error


def _floats(data: bytes, what: str) -> NDArray[np.float64]:
    import numpy as np

    if len(data) % 8:
        raise TileError(f"{what} has {len(data)} bytes, which is no number of float64 values")
    return np.frombuffer(data, dtype="<f8").astype(np.float64)


def _digest(n_features: int, mean: bytes, norm: bytes, values: NDArray[np.float32]) -> str:
    import numpy as np

    digest = hashlib.sha256(f"{n_features} ".encode())
    parts: Sequence[bytes | memoryview] = (mean, norm, np.asarray(values, dtype="<f4").data)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
