"""Weights that are fetched are what was published, are found without being named, and are never half there."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.network.model import LoadRequest
from layerwise.plugins.loaders import googlenet
from layerwise.plugins.loaders.fetching import Asset, fetch_assets
from layerwise.plugins.loaders.googlenet import GoogLeNetLoader

WEIGHTS, CLASSES = b"weights" * 1000, b"n01440764 tench\n"


@dataclass
class Published:
    """A server on this machine, and what was asked of it."""

    address: str
    files: dict[str, bytes]
    asked: list[str] = field(default_factory=list)

    def asset(self, name: str, content: bytes, member: str = "") -> Asset:
        return Asset(member or name, f"{self.address}/{name}", hashlib.sha1(content).hexdigest(), member)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Published]:
    monkeypatch.setenv("LAYERWISE_CACHE", str(tmp_path / "cache"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in (("other.txt", b"no"), ("synset_words.txt", CLASSES)):
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    site = Published("", {"/net.caffemodel": WEIGHTS, "/aux.tar.gz": packed.getvalue(), "/cut": WEIGHTS[:100]})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            content = site.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(WEIGHTS) if self.path == "/cut" else len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield site
    server.shutdown()
    server.server_close()


def test_googlenet_without_weights_is_an_error_that_says_how_to_get_them(published: Published) -> None:
    with pytest.raises(InputError, match=r"layerwise models fetch googlenet.*--weights FILE.*--weights none"):
        GoogLeNetLoader().load(LoadRequest("googlenet"))


def test_what_was_fetched_is_found_without_being_named(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(googlenet, "WEIGHTS", published.asset("net.caffemodel", WEIGHTS))
    monkeypatch.setattr(googlenet, "CLASSES", published.asset("aux.tar.gz", CLASSES, "synset_words.txt"))
    loader = GoogLeNetLoader()
    weights, classes = loader.fetch("googlenet")
    assert (weights.read_bytes(), classes.read_bytes()) == (WEIGHTS, CLASSES)
    assert loader.list_files(LoadRequest("googlenet")) == [weights, classes]
    assert loader.list_files(LoadRequest("googlenet", weights="none")) == []


def test_what_is_there_is_not_fetched_again_unless_it_is_damaged(published: Published) -> None:
    asset = published.asset("net.caffemodel", WEIGHTS)
    (path,) = fetch_assets("net", [asset])
    fetch_assets("net", [asset])
    assert published.asked == ["/net.caffemodel"]
    path.write_bytes(b"damaged")
    fetch_assets("net", [asset])
    assert path.read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("name", "member", "said"),
    [
        ("net.caffemodel", "", "another file than was published"),
        ("nowhere", "", "404"),
        ("cut", "", "cut"),
        ("net.caffemodel", "a.txt", "cannot fetch"),
        ("aux.tar.gz", "absent.txt", "no absent.txt"),
    ],
)
def test_what_is_not_what_was_published_is_not_kept(
    name: str, member: str, said: str, published: Published, tmp_path: Path
) -> None:
    with pytest.raises(LayerwiseError, match=said):
        fetch_assets("net", [published.asset(name, b"something else", member)])
    assert list((tmp_path / "cache" / "models" / "net").iterdir()) == []
