"""`sqlite://`, a URL without a file, opens a history in memory."""

from __future__ import annotations

from typing import Any

import pytest

import layerwise as lw
from layerwise.core.base.errors import InputError
from layerwise.storage import MEMORY_URL, MemoryStore, check_place, open_store


def test_a_url_without_a_file_opens_a_new_history_each_time(samples: Any) -> None:
    check_place(MEMORY_URL)
    with open_store(MEMORY_URL) as one, lw.open_history(MEMORY_URL) as other:
        run_id = samples.finished_run(one)
        assert one.find_run("latest").id == run_id
        assert other.list_runs() == []
        assert one.url == MEMORY_URL
    assert one.list_runs() == []


@pytest.mark.parametrize("run", ["latest", "abc"])
def test_an_empty_one_says_why_it_is_empty(run: str) -> None:
    with open_store(MEMORY_URL) as store, pytest.raises(InputError, match=r"run.*: a history in memory starts empty"):
        store.find_run(run)


ASKED: dict[str, tuple[Any, ...]] = {
    "info": (),
    "verify": (),
    "query": ("SELECT 1",),
    "read_table": ("runs",),
    "table_names": (),
    "column_names": ("runs",),
    "find_makers": ("comparators", "cka"),
    "count_results": ("layerwise",),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_only_a_database_answers_is_refused_in_one_line(name: str) -> None:
    with open_store(MEMORY_URL) as store, pytest.raises(InputError, match=r"needs a database.*sqlite:///FILE$"):
        getattr(store, name)(*ASKED[name])
    assert isinstance(store, MemoryStore)
