"""Weights that are fetched are what was published, are found without being named, and are never half there."""

from __future__ import annotations

import hashlib
import http.server
import io
import sys
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
    ranges: list[str | None] = field(default_factory=list)
    most: int | None = None
    """So many bytes are sent at most, whatever is announced."""
    has_ranges: bool = True

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
    site = Published("", {"/net.caffemodel": WEIGHTS, "/aux.tar.gz": packed.getvalue()})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            wanted = self.headers.get("Range") if site.has_ranges else None
            site.ranges.append(wanted)
            content = site.files.get(self.path)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            if content is None or start >= len(content):
                self.send_error(404 if content is None else 416)
                return
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:][: site.most])

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


def test_what_is_there_is_not_fetched_again_unless_it_is_damaged(published: Published, tmp_path: Path) -> None:
    asset = published.asset("net.caffemodel", WEIGHTS)
    (path,) = fetch_assets(tmp_path, [asset])
    fetch_assets(tmp_path, [asset])
    assert published.asked == ["/net.caffemodel"]
    path.write_bytes(b"damaged")
    fetch_assets(tmp_path, [asset])
    assert path.read_bytes() == WEIGHTS


@pytest.mark.parametrize("has_ranges", [True, False], ids=["server with ranges", "server without"])
@pytest.mark.parametrize("name", ["net.caffemodel", "aux.tar.gz"])
def test_a_download_that_broke_off_goes_on(name: str, has_ranges: bool, published: Published, tmp_path: Path) -> None:
    is_packed = name.endswith("gz")
    content = CLASSES if is_packed else WEIGHTS
    asset = published.asset(name, content, "synset_words.txt" if is_packed else "")
    published.most, published.has_ranges = 60, has_ranges
    with pytest.raises(LayerwiseError, match=r"broke off after 60 of [\d,]+ bytes; the same command goes on"):
        fetch_assets(tmp_path / "net", [asset])
    (partial,) = (tmp_path / "net").iterdir()
    assert partial.read_bytes() == published.files[f"/{name}"][:60]
    published.most = None
    (path,) = fetch_assets(tmp_path / "net", [asset])
    assert path.read_bytes() == content
    assert list((tmp_path / "net").iterdir()) == [path]
    assert published.ranges == ([None, "bytes=60-"] if has_ranges else [None, None])


@pytest.mark.parametrize(
    "left", [b"the beginning of another file", WEIGHTS + b"more", WEIGHTS], ids=["other", "more", "all"]
)
def test_what_was_left_of_a_download_is_not_trusted(left: bytes, published: Published, tmp_path: Path) -> None:
    (tmp_path / ".net.caffemodel.part").write_bytes(left)
    (path,) = fetch_assets(tmp_path, [published.asset("net.caffemodel", WEIGHTS)])
    assert path.read_bytes() == WEIGHTS
    assert len(published.asked) == (1 if left == WEIGHTS else 2)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", ""])
def test_checksums_of_every_kind_that_publishers_give_are_understood(
    algorithm: str, published: Published, tmp_path: Path
) -> None:
    digest = hashlib.new(algorithm, WEIGHTS).hexdigest() if algorithm else ""
    asset = Asset("net", f"{published.address}/net.caffemodel", digest)
    assert fetch_assets(tmp_path, [asset])[0].read_bytes() == WEIGHTS
    if algorithm:
        with pytest.raises(LayerwiseError, match="another file than was published"):
            fetch_assets(tmp_path, [Asset("other", asset.url, digest[::-1])])
        assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_weights_of_keras_are_fetched_into_its_own_cache_and_checked(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from layerwise.plugins.loaders.keras import applications
    from layerwise.plugins.loaders.tensorflow_setup import import_keras

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    downloader = sys.modules[import_keras().utils.get_file.__module__]

    def build(_build: object, name: str, *_: object) -> None:
        """What each of Keras's applications does for its weights."""
        md5 = hashlib.md5(WEIGHTS).hexdigest()
        address = f"{published.address}/net.caffemodel"
        found = downloader.get_file(f"{name}.h5", address, cache_subdir="models", file_hash=md5)
        assert Path(found).read_bytes() == WEIGHTS

    monkeypatch.setattr(applications, "_build", build)
    published.most = 60
    with pytest.raises(LayerwiseError, match="broke off"):
        applications.KerasApplicationsLoader().fetch("MobileNetV2")
    published.most = None
    wanted = [tmp_path / "keras" / "models" / "mobilenet_v2.h5"]
    assert applications.KerasApplicationsLoader().fetch("MobileNetV2") == wanted
    assert published.ranges == [None, "bytes=60-"]
    assert not hasattr(downloader.get_file, "__wrapped__")
    assert downloader.get_file.__module__ == downloader.__name__


@pytest.mark.slow
def test_weights_of_a_real_application_are_fetched_from_where_keras_says(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MobileNet, whose published weights are stood in for by random ones at an address of this machine."""
    from layerwise.plugins.loaders.keras.applications import KerasApplicationsLoader
    from layerwise.plugins.loaders.tensorflow_setup import import_keras

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    keras = import_keras()
    import h5py
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group  # as published files are

    module = sys.modules[keras.applications.MobileNet.__module__]
    file = tmp_path / "random.h5"
    with h5py.File(file, "w") as saved:
        save_weights_to_hdf5_group(saved, keras.applications.MobileNet(weights=None))
    published.files["/mobilenet_1_0_224_tf.h5"] = file.read_bytes()
    monkeypatch.setattr(module, "BASE_WEIGHT_PATH", f"{published.address}/")
    (path,) = KerasApplicationsLoader().fetch("mobilenet")
    assert path.read_bytes() == file.read_bytes()
    assert KerasApplicationsLoader().fetch("mobilenet") == [path]
    assert published.asked == ["/mobilenet_1_0_224_tf.h5"]


@pytest.mark.parametrize(
    ("name", "member", "said"),
    [
        ("net.caffemodel", "", "another file than was published"),
        ("nowhere", "", "404"),
        ("net.caffemodel", "a.txt", "cannot fetch"),
        ("aux.tar.gz", "absent.txt", "no absent.txt"),
    ],
)
def test_what_is_not_what_was_published_is_not_kept(
    name: str, member: str, said: str, published: Published, tmp_path: Path
) -> None:
    with pytest.raises(LayerwiseError, match=said):
        fetch_assets(tmp_path / "net", [published.asset(name, b"something else", member)])
    assert list((tmp_path / "net").iterdir()) == []
