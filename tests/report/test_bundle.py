"""The charts' libraries are put together once, and what is kept of them is never taken on trust."""

from __future__ import annotations

import pytest

from layerwise.report import bundle

SCRIPT = "window.vegaEmbed = () => 'ü';\n// end"


@pytest.fixture
def libraries(tmp_path, monkeypatch):
    """A vl-convert that counts how often it is asked, and a cache of its own."""
    asked: list[str] = []

    def put_together(snippet: str, vl_version: str) -> str:
        asked.append(vl_version)
        return SCRIPT

    monkeypatch.setattr("vl_convert.javascript_bundle", put_together)
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "cache" / name)
    return asked


def ask() -> str:
    bundle.vega_bundle.cache_clear()
    try:
        return bundle.vega_bundle()
    finally:
        bundle.vega_bundle.cache_clear()


def kept_file(tmp_path):
    (path,) = (tmp_path / "cache").rglob("vega-*.js")
    return path


def test_the_libraries_are_put_together_once(libraries, tmp_path) -> None:
    assert ask() == ask() == SCRIPT
    assert len(libraries) == 1
    assert [path.name for path in kept_file(tmp_path).parent.iterdir()] == [kept_file(tmp_path).name]


@pytest.mark.parametrize(
    "spoil", [lambda found: found[:-3], lambda found: found.replace(b"end", b"bad"), lambda _: b""]
)
def test_a_kept_script_that_is_not_whole_is_made_anew(libraries, tmp_path, spoil) -> None:
    ask()
    path = kept_file(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    assert ask() == SCRIPT
    assert len(libraries) == 2
    assert ask() == SCRIPT  # and kept again
    assert len(libraries) == 2


def test_a_kept_script_that_others_may_have_written_is_not_used(libraries, tmp_path) -> None:
    ask()
    kept_file(tmp_path).chmod(0o666)
    ask()
    assert len(libraries) == 2


def test_another_version_of_the_libraries_is_kept_apart(libraries, monkeypatch) -> None:
    ask()
    monkeypatch.setattr(bundle, "distribution_version", lambda _: "99.0")
    ask()
    assert len(libraries) == 2


def test_a_cache_that_cannot_be_written_costs_only_time(libraries, tmp_path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert ask() == ask() == SCRIPT
    assert len(libraries) == 2
