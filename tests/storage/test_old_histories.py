"""Histories that older code has made answer the same questions with the same numbers, once upgraded.

What they are and how they were made is in `tests/assets/histories/README.md`; one is added with every schema.
"""

from __future__ import annotations

import contextlib
import copy
import gzip
import io
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerwise.cli import main
from layerwise.storage import open_store
from layerwise.storage.schema import HEAD, REVISIONS

HISTORIES = Path(__file__).parents[1] / "assets" / "histories"
MADE = sorted(path.name.partition(".")[0] for path in HISTORIES.glob("*.db.gz"))
REVISED = {"layerwise:average-linkage": "0009"}  # the last schema with answers of an earlier revision of the offer
CLOSE = 1e-12  # what is computed from representations, not kept, may be so by another NumPy


@dataclass(frozen=True)
class OldHistory:
    """A copy of an old history, with what it was asked when it was new."""

    path: Path
    schema: str
    runs: Mapping[str, str]
    rows: Mapping[str, int]
    questions: Sequence[Mapping[str, Any]]

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def replaced(self) -> list[Mapping[str, Any]]:
        """The questions whose answers an offer gave that has been revised since: it is asked anew."""
        return [question for question in self.questions if self._is_replaced(question["answer"])]

    @property
    def lasting(self) -> list[Mapping[str, Any]]:
        """The others."""
        return [question for question in self.questions if not self._is_replaced(question["answer"])]

    def _is_replaced(self, answer: Any) -> bool:
        last = REVISED.get(answer.get("method", "")) if isinstance(answer, dict) else None
        return last is not None and self.schema <= last

    def execute(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            return connection.execute(sql).fetchall()

    def ask(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code and output of a command, in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*arguments, "--db", self.url])
        return code, out.getvalue(), err.getvalue()


@pytest.fixture(params=MADE)
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OldHistory:
    """A history of each schema in turn, not upgraded yet."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "layerwise.db"
    path.write_bytes(gzip.decompress((HISTORIES / f"{request.param}.db.gz").read_bytes()))
    told = json.loads((HISTORIES / f"{request.param}.json").read_text(encoding="utf-8"))
    return OldHistory(path, told["schema"], told["runs"], told["rows"], told["questions"])


def upgrade(old: OldHistory) -> None:
    code, _, said = old.ask("db", "upgrade")
    assert code == 0, said


def differences(was: Any, now: Any, close: float, where: str = "") -> Iterator[str]:
    """Where an answer is not what it was; what it says beyond that does not count."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name, value in was.items():
            yield from differences(value, now.get(name, "nothing"), close, f"{where}.{name}")
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for index, pair in enumerate(zip(was, now, strict=True)):
            yield from differences(*pair, close, f"{where}[{index}]")
    elif isinstance(was, float) and isinstance(now, float):
        if not math.isclose(was, now, rel_tol=close, abs_tol=close):
            yield f"{where}: {was} is {now}"
    elif isinstance(was, str) and ".parameters" in where:  # metrics were named with their versions
        yield from [] if was.replace(" 0.1.0", " r1") == now else [f"{where}: {was} is {now}"]
    elif was != now:
        yield f"{where}: {was} is {now}"


def corrected(question: Mapping[str, Any]) -> Any:
    """An answer of then, less what is nothing but rounding.

    Half of the softmax is two units. Any two vectors of two numbers correlate with 1 or -1, here all with 1, so there
    is nothing that RSA could compare; what was answered was the correlation of last bits.
    """
    answer = copy.deepcopy(question["answer"])
    if question["arguments"][0] == "ceiling":
        for layer in answer["layers"]:
            if layer["layer"] == "softmax":
                layer.clear()
    return answer


def test_there_is_a_history_of_every_schema_up_to_now() -> None:
    together = {
        "0007",
        "0008",
        "0011",
        "0014",
        "0017",
    }  # these came with the next one, and no history was made with them
    assert [schema for schema in REVISIONS if schema not in together] == MADE


def test_an_old_history_is_refused_in_one_line_until_it_is_upgraded(old: OldHistory) -> None:
    code, out, said = old.ask("runs")
    if old.schema == HEAD:
        assert code == 0
        return
    assert (code, out, said.count("\n")) == (2, "", 1)
    assert f"(schema {old.schema}, now {HEAD}); run `layerwise db upgrade --db " in said
    upgrade(old)
    assert old.ask("runs")[0] == 0


def test_what_was_kept_is_answered_with_the_same_numbers_without_anything_to_compute_from(
    old: OldHistory, subtests: pytest.Subtests
) -> None:
    upgrade(old)
    old.execute("DELETE FROM tiles")
    for question in old.lasting:
        if question["kept"]:
            with subtests.test(" ".join(question["arguments"])):
                code, out, said = old.ask(*question["arguments"], "--json")
                assert code == 0, said
                assert list(differences(question["answer"], json.loads(out), close=0)) == []


def test_what_is_computed_from_representations_gives_the_same_numbers_and_nothing_is_added(
    old: OldHistory, subtests: pytest.Subtests
) -> None:
    upgrade(old)
    for question in old.lasting:
        with subtests.test(" ".join(question["arguments"])):
            code, out, said = old.ask(*question["arguments"], "--json")
            assert code == 0, said
            assert list(differences(corrected(question), json.loads(out), CLOSE)) == []
    with open_store(old.url) as store:
        counted = {name: store.query(f"SELECT count(*) FROM {name}").item() for name in old.rows}
        assert counted == old.rows
        assert store.verify() == []


def test_what_an_earlier_revision_ordered_is_ordered_anew_and_kept_beside_it(old: OldHistory) -> None:
    upgrade(old)
    if not old.replaced:
        pytest.skip("its orders are of the present revision")
    for question in old.replaced:
        code, out, said = old.ask(*question["arguments"], "--json")
        assert code == 0, said
        assert sorted(json.loads(out)["permutation"]) == sorted(question["answer"]["permutation"])
        assert old.ask(*question["arguments"], "--json")[1] == out
    listed = (
        "SELECT permutation, reorderer_revision FROM orderings WHERE reorderer_name = 'layerwise:average-linkage'"
    )
    was = [question["answer"]["permutation"] for question in old.replaced]
    kept = [(json.loads(permutation), revision) for permutation, revision in old.execute(listed)]
    assert all((permutation, 1) in kept for permutation in was)
    assert [revision for _, revision in kept].count(2) == len(was)
