"""Representations read back and checked, and what is computed from them and kept: comparisons and orderings.

Representations of many layers are read with one query for their heads and one for their tiles, and are
unpacked side by side: both checksums and decompression leave Python's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.base.machine import n_cores
from layerwise.core.base.parameters import NO_TRANSFORM
from layerwise.core.base.provider import Provider
from layerwise.core.history.checks import describe_missing
from layerwise.core.history.records import Comparison, LayerAddress, Ordering
from layerwise.storage.answers.pairs import read_pairs
from layerwise.storage.checking.soundness import check_rows
from layerwise.storage.connect import Database
from layerwise.storage.rows import as_bytes, chunks, provider_columns, provider_key, provider_of, replace_rows
from layerwise.storage.schema import comparisons, layers, orderings, representations, tiles
from layerwise.storage.tiles import CORRELATION, Packed, Tile, TileError, unpack, unpack_head

if TYPE_CHECKING:
    from layerwise.core.network.matrices.pairs import Pairs
    from layerwise.core.network.representation import Representation
    from layerwise.storage.in_pieces.stored_pairs import StoredPairs


_FEW = 2_000  # stimuli, of which all tiles of several layers fit into memory
_BYTES = {"mean", "norm", "deviation"}
_HEAD = [as_bytes(column) if column.name in _BYTES else column for column in representations.c]


class ResultStore:
    """The second half of `History`: representations, comparisons and orderings."""

    _database: Database

    def read_representation(self, address: LayerAddress) -> Representation:
        """One stored representation.

        Raises:
            InputError: If there is none at that address, or only pairs with landmarks.
            LayerwiseError: If what is stored fails its checksum.
        """
        return self.read_representations([address])[0]

    def read_representations(self, addresses: Sequence[LayerAddress]) -> list[Representation]:
        """Stored representations, in the order asked for; much faster than one by one.

        Raises:
            InputError: If there is none at one of the addresses.
            LayerwiseError: If what is stored of one fails its checksum.
        """
        with self._database.read() as connection:
            ids = representation_ids(connection, addresses)
            heads = read_heads(connection, list(ids.values()))
            _require_whole({at: heads[ids[at]] for at in addresses})
            few = [at for at in addresses if _is_small(heads[ids[at]])]
            packed = read_packed(connection, [ids[address] for address in few])
        with ThreadPoolExecutor(min(4, n_cores())) as pool:
            found = pool.map(lambda address: unpack_at(address, packed[ids[address]]), few)
            read = dict(zip(few, found, strict=True))
        for address in addresses:
            if address not in read:  # one by one, and never with all of its tiles beside it
                read[address] = self._gather(address, ids[address], heads[ids[address]])
        return [read[address] for address in addresses]

    def _gather(self, address: LayerAddress, owner: int, head: Packed) -> Representation:
        from layerwise.core.network.representation import Representation

        stored = self._open(address, owner, head)
        with telling(address):
            if stored is None:
                raise TileError(f"it has the form '{head.form}', which this version does not know")
            matrix = stored.gather(head)
        vectors = stored.deviation, stored.mean, stored.norm
        return Representation(matrix, *vectors, stored.n_features, stored.resolution, stored.has_zero)

    def open_layers(self, addresses: Sequence[LayerAddress]) -> list[Pairs]:
        """The same without holding them: what is known of pairs is read from the database whenever it is asked for.

        Raises:
            InputError: If there is none at one of the addresses.
            LayerwiseError: If something is damaged, also later on.
        """
        with self._database.read() as connection:
            ids = representation_ids(connection, addresses)
            heads = read_heads(connection, list(ids.values()))
        return [self._open_layer(address, ids[address], heads[ids[address]]) for address in addresses]

    def _open_layer(self, address: LayerAddress, owner: int, head: Packed) -> Pairs:
        stored = self._open(address, owner, head)
        if stored is None:
            return self.read_representation(address)
        if head.n_landmarks is None:
            return stored
        from layerwise.core.network.matrices.landmarks import LandmarkPairs

        return LandmarkPairs(stored, head.n_landmarks)

    def _open(self, address: LayerAddress, owner: int, head: Packed) -> StoredPairs | None:
        """A layer whose pairs stay where they are; None of what is not stored as pairs."""
        from layerwise.storage.in_pieces.stored_pairs import StoredPairs

        with telling(address):
            found = unpack_head(head)
        if found is None:
            return None
        columns = tiles.c.position, tiles.c.n_values, tiles.c.checksum, as_bytes(tiles.c.data)
        chosen = (
            sa.select(*columns)
            .where(
                tiles.c.representation_id == owner,
                tiles.c.position.between(sa.bindparam("first"), sa.bindparam("last")),
            )
            .order_by(tiles.c.position)
        )

        def read(start: int, n_tiles: int) -> list[Tile]:
            with self._database.read() as connection:
                rows = connection.execute(chosen, {"first": start, "last": start + n_tiles - 1})
                found = {row.position: Tile(*row[1:]) for row in rows}
            return [found[place] for place in takewhile(found.__contains__, range(start, start + n_tiles))]

        return StoredPairs(*found, read, partial(telling, address), head.n_landmarks)

    def read_comparisons(self, comparator: Provider, run_ids: Sequence[str]) -> list[Comparison]:
        """Stored comparisons by this comparator, revision and settings among the layers of these runs."""
        key = provider_key("comparator", comparator)
        with self._database.read() as connection:
            rows = read_pairs(connection, comparisons, key, run_ids, ("comparator_version", "value", "reason"))
        by = {version: replace(comparator, version=version) for version in {said[0] for _, _, said in rows}}
        return [Comparison(by[said[0]], first, second, *said[1:]) for first, second, said in rows]

    def save_comparisons(self, rows: Sequence[Comparison]) -> None:
        """Keep comparisons; those of the same comparator, revision, settings and pair are replaced.

        Raises:
            InputError: If a layer that was compared is not stored.
        """
        if not rows:
            return
        with self._database.write(exclusive=True) as connection:
            ids = representation_ids(connection, [end for row in rows for end in (row.first, row.second)])
            last = {(row.comparator, row.first, row.second): row for row in rows}
            replace_rows(connection, comparisons, [_comparison_values(row, ids) for row in last.values()])

    def read_orderings(self, run_id: str) -> list[Ordering]:
        """Stored orderings of a run."""
        chosen = (
            sa.select(orderings, layers.c.name.label("layer_name"), representations.c.transform)
            .join_from(orderings, representations)
            .join(layers)
            .where(layers.c.run_id == run_id)
            .order_by(
                layers.c.position, orderings.c.reorderer_name, orderings.c.reorderer_revision, orderings.c.parameters
            )
        )
        with self._database.read() as connection:
            rows = check_rows(connection, orderings, connection.execute(chosen).mappings().all())
        return [
            Ordering(
                provider_of(row, "reorderer"),
                LayerAddress(run_id, row["layer_name"], row["transform"]),
                tuple(row["permutation"]),
            )
            for row in rows
        ]

    def save_ordering(self, ordering: Ordering) -> None:
        """Keep an ordering; one of the same reorderer, revision, settings and layer is replaced.

        Raises:
            InputError: If the layer it was computed from is not stored.
        """
        with self._database.write(exclusive=True) as connection:
            owner = representation_ids(connection, [ordering.address])[ordering.address]
            made = provider_columns("reorderer", ordering.reorderer)
            permutation = [int(index) for index in ordering.permutation]
            replace_rows(connection, orderings, [{"representation_id": owner, **made, "permutation": permutation}])


def representation_ids(connection: sa.Connection, addresses: Iterable[LayerAddress]) -> dict[LayerAddress, int]:
    """Where the representations at these addresses are.

    Raises:
        InputError: If there is none at one of them.
    """
    wanted = dict.fromkeys(addresses)
    run_ids = sorted({address.run_id for address in wanted})
    chosen = sa.select(layers.c.run_id, layers.c.name, representations.c.transform, representations.c.id)
    chosen = chosen.join_from(layers, representations).order_by(layers.c.position)
    known: dict[LayerAddress, int] = {}
    for some in chunks(run_ids):
        for run_id, name, transform, owner in connection.execute(chosen.where(layers.c.run_id.in_(some))):
            known[LayerAddress(run_id, name, transform)] = owner
    for address in wanted:
        if address not in known:
            raise InputError(describe_missing(address, known))
    return {address: known[address] for address in wanted}


def read_packed(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Packed]:
    """The bytes of representations, by id."""
    found: dict[int, Packed] = {}
    for some in chunks(sorted(set(ids))):
        pieces: dict[int, list[Tile]] = {owner: [] for owner in some}
        chosen = sa.select(tiles.c.representation_id, tiles.c.n_values, tiles.c.checksum, as_bytes(tiles.c.data))
        chosen = chosen.where(tiles.c.representation_id.in_(some)).order_by(
            tiles.c.representation_id, tiles.c.position
        )
        for owner, n_values, checksum, data in connection.execute(chosen):
            pieces[owner].append(Tile(n_values, checksum, data))
        for owner, head in read_heads(connection, some).items():
            found[owner] = replace(head, tiles=tuple(pieces[owner]))
    return found


def read_heads(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Packed]:
    """The same without their tiles."""
    found: dict[int, Packed] = {}
    for some in chunks(sorted(set(ids))):
        for row in connection.execute(sa.select(*_HEAD).where(representations.c.id.in_(some))).mappings():
            found[row["id"]] = _packed(row)
    return found


def unpack_at(address: LayerAddress, packed: Packed) -> Representation:
    """Unpack what is stored at an address, which an error names."""
    with telling(address):
        return unpack(packed)


def _require_whole(heads: Mapping[LayerAddress, Packed]) -> None:
    from layerwise.core.network.matrices.landmarks import describe_landmarks

    for address, head in heads.items():
        if head.n_landmarks is not None:
            raise InputError(describe_landmarks(address.run_id, head.n_landmarks))


@contextmanager
def telling(address: LayerAddress) -> Iterator[None]:
    """While within, what is damaged is said to be at this address."""
    try:
        yield
    except TileError as error:
        transform = "" if address.transform == NO_TRANSFORM else f" under '{address.transform}'"
        raise LayerwiseError(
            f"run {address.run_id}, layer '{address.layer}'{transform} is damaged: {error}"
        ) from error


def _is_small(head: Packed) -> bool:
    """Whether all tiles may be there at once; those of correlations must."""
    return len(head.mean) <= 8 * _FEW or head.form == CORRELATION


def _packed(row: sa.RowMapping) -> Packed:
    return Packed(
        n_features=row["n_features"],
        mean=row["mean"],
        norm=row["norm"],
        tiles=(),
        checksum=row["checksum"],
        form=row["form"],
        deviation=row["deviation"],
        resolution=row["resolution"],
        n_landmarks=row["n_landmarks"],
    )


def _comparison_values(row: Comparison, ids: Mapping[LayerAddress, int]) -> dict[str, Any]:
    ends = {"first_id": ids[row.first], "second_id": ids[row.second]}
    said = {"value": None if row.value is None else float(row.value), "reason": row.reason}
    return provider_columns("comparator", row.comparator) | ends | said
