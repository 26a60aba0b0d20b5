"""Outputs, kept whole: in tiles of at most 1 MiB, compressed and checksummed as matrices are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from layerwise.core.base.errors import LayerwiseError
from layerwise.core.history.checks import check_outputs
from layerwise.core.history.records import Claim
from layerwise.storage.checking.soundness import check_row
from layerwise.storage.connect import Database
from layerwise.storage.holding.claims import sign
from layerwise.storage.rows import as_bytes
from layerwise.storage.schema import output_tiles, outputs
from layerwise.storage.tiles import Tile, TileError, decode_tile, encode_tile, tile_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from layerwise.core.history.outputs import Outputs

_FORMS = {"float32": "<f4", "float16": "<f2"}


class OutputStore:
    """The part of a store that keeps outputs."""

    _database: Database

    def save_outputs(self, claim: Claim, found: Outputs) -> None:
        """Write the whole output, replacing what is there.

        Raises:
            LayerwiseError: If the claim is not held any more, or it is no (n, n_classes) array of floats.
        """
        try:
            check_outputs(found)
        except ValueError as error:
            raise LayerwiseError(f"run {claim.run_id}, outputs: {error}") from error
        head, packed = _pack(found)
        with self._database.write() as connection:
            sign(connection, claim)
            connection.execute(sa.delete(outputs).where(outputs.c.run_id == claim.run_id))
            connection.execute(sa.insert(outputs).values(run_id=claim.run_id, **head))
            for position, tile in enumerate(packed):
                values = {"run_id": claim.run_id, "position": position, **vars(tile)}
                connection.execute(sa.insert(output_tiles).values(values))

    def read_outputs(self, run_id: str) -> Outputs | None:
        """The whole output of a run; None where it was not kept.

        Raises:
            LayerwiseError: If what is stored fails its checksum.
        """
        with self._database.read() as connection:
            return read_outputs(connection, run_id)


def read_outputs(connection: sa.Connection, run_id: str) -> Outputs | None:
    """The whole output of a run, checked.

    Raises:
        LayerwiseError: If what is stored fails its checksum.
    """
    head = connection.execute(sa.select(outputs).where(outputs.c.run_id == run_id)).mappings().one_or_none()
    if head is None:
        return None
    columns = (output_tiles.c.n_values, output_tiles.c.checksum, as_bytes(output_tiles.c.data))
    chosen = sa.select(*columns).where(output_tiles.c.run_id == run_id).order_by(output_tiles.c.position)
    try:
        found = _unpack(head, [Tile(*row) for row in connection.execute(chosen)])
    except (TileError, TypeError) as error:
        raise LayerwiseError(f"run {run_id}, outputs are damaged: {error}") from error
    check_row(connection, outputs, head)
    return found


@dataclass(frozen=True)
class _Facts:
    layer: str
    scale: str
    form: str
    n_stimuli: int
    n_classes: int

    def digest(self, values: NDArray[np.floating]) -> str:
        """Hex SHA-256 over what is known of outputs, and their values, little-endian."""
        import numpy as np

        facts = f"{self.layer}\0{self.scale} {self.form} {self.n_stimuli} {self.n_classes} "
        return hashlib.sha256(facts.encode() + np.ascontiguousarray(values).tobytes()).hexdigest()


def _pack(found: Outputs) -> tuple[dict[str, Any], list[Tile]]:
    n_stimuli, n_classes = found.values.shape
    facts = _Facts(found.layer, found.scale, found.values.dtype.name, n_stimuli, n_classes)
    values = found.values.astype(_FORMS[facts.form]).reshape(-1)
    n_each = tile_size(values.dtype)
    packed = [encode_tile(values[at : at + n_each]) for at in range(0, len(values), n_each)]
    return {**vars(facts), "n_tiles": len(packed), "checksum": facts.digest(values)}, packed


def _unpack(head: sa.RowMapping, packed: Sequence[Tile]) -> Outputs:
    import numpy as np

    from layerwise.core.history.outputs import Outputs

    facts = _Facts(*(head[name] for name in ("layer", "scale", "form", "n_stimuli", "n_classes")))
    if facts.form not in _FORMS:
        raise TileError(f"they have the form '{facts.form}', which this version does not know")
    dtype = np.dtype(_FORMS[facts.form])
    n_values = facts.n_stimuli * facts.n_classes
    if len(packed) != head["n_tiles"] or sum(tile.n_values for tile in packed) != n_values:
        raise TileError(f"{len(packed)} tiles do not make up {facts.n_stimuli} x {facts.n_classes} values")
    values = np.concatenate([decode_tile(tile, index, dtype) for index, tile in enumerate(packed)])
    if facts.digest(values) != head["checksum"]:
        raise TileError("the checksum over all of them does not match")
    shaped = values.reshape(facts.n_stimuli, facts.n_classes).astype(facts.form)
    shaped.flags.writeable = False
    return Outputs(facts.layer, shaped, head["scale"])
