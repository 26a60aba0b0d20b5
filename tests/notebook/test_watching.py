"""What a notebook sees while an analysis goes: a bar that the browser draws, which is gone at the end."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from layerwise.notebook.watching import watching


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a kernel of IPython displays in one place, one after the other."""
    places: list[str] = []
    handle = SimpleNamespace(update=places.append)

    def display(first: str, *, display_id: bool) -> Any:
        assert display_id
        places.append(first)
        return handle

    inside = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", inside)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display, HTML=str))
    return places


def test_a_bar_grows_in_a_notebook_and_is_gone_at_the_end(shown: list[str]) -> None:
    with watching() as observer:
        observer.stage("loading <mine>")
        observer.begin(1000)
        for _ in range(10):
            observer.advance(100, "conv")
            observer.layer_finished("conv")
    assert shown[0] == shown[-1] == ""
    assert "loading &lt;mine&gt; ..." in shown[1]
    shares = [float(found[1]) for text in shown if (found := re.search(r"value='([\d.]+)'", text))]
    assert shares == pytest.approx([k / 10 for k in range(1, 11)])
    assert "from conv, 9 layers stored" in shown[-2]


def test_a_bar_is_updated_two_hundred_times_at_most(shown: list[str]) -> None:
    with watching() as observer:
        observer.begin(100_000)
        for _ in range(10_000):
            observer.advance(10, "conv")
    assert 190 <= len(shown) <= 205


def test_no_bar_is_drawn_where_none_is_wanted(shown: list[str]) -> None:
    with watching(False) as observer:
        observer.begin(10)
        observer.advance(10, "conv")
    assert shown == []
