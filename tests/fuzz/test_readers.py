"""Files of every kind that people give, damaged in every way that mutation finds: read, or refused in one line.

Each seed file is small and sound. A mutant has bytes flipped, cut out, repeated, or numbers replaced by extreme ones;
it is read as the command line would read it. Allowed are an answer and one of Layerwise's own errors in one line,
within ten seconds and 2 GiB. What a mutant was is told by its seed and number, so that it can be made again.
"""

from __future__ import annotations

import io
import json
import resource
import signal
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import polars as pl
import pytest
from PIL import Image

from layerwise.core.base.errors import LayerwiseError
from layerwise.interchange.files import read_file
from layerwise.plugins.loaders.caffe import read_caffemodel
from layerwise.plugins.loaders.graphdef.files import read_graph_def
from layerwise.plugins.loaders.keras.files import _read_config
from layerwise.plugins.loaders.vetting.graphs import check_graph, check_saved_model
from layerwise.plugins.loaders.vetting.keras_configs import check_config
from layerwise.plugins.sources.array import ArraySource
from layerwise.plugins.sources.imaging import decode_file, prepare_codecs
from layerwise.plugins.sources.manifest import ManifestSource

SECONDS = 10
LONGEST = 900
EXTREME = [
    b"\xff" * 4,
    b"\x00" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80" + bytes(7),
    b"9" * 20,
    b"-1",
    b"{" * 40,
]


def of_image(form: str) -> bytes:
    written = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(written, form)
    return written.getvalue()


def of_arrays(save: Callable[..., None]) -> bytes:
    written = io.BytesIO()
    save(written, np.random.default_rng(2).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8))
    return written.getvalue()


def of_hdf5() -> bytes:
    written = io.BytesIO()
    with h5py.File(written, "w") as file:
        file["layer"] = np.random.default_rng(3).normal(size=(5, 5))
        file["stimuli"] = [f"s{number}" for number in range(5)]
    return written.getvalue()


def of_parquet() -> bytes:
    written = io.BytesIO()
    rng = np.random.default_rng(4)
    pl.DataFrame({"stimulus": list("abcde"), "u1": rng.normal(size=5), "u2": rng.normal(size=5)}).write_parquet(
        written
    )
    return written.getvalue()


def of_graph() -> bytes:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [None, 4, 4, 3], name="image")
        tf.nn.relu(tf.matmul(tf.reshape(image, [-1, 48]), np.ones((48, 3), np.float32)), name="out")
    content: bytes = graph.as_graph_def().SerializeToString()
    return content


def of_saved_model() -> bytes:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.meta_graphs.add().graph_def.ParseFromString(of_graph())
    content: bytes = saved.SerializeToString()
    return content


def of_caffemodel() -> bytes:
    values = struct.pack("<4f", 1, 2, 3, 4)
    blob = b"\x2a" + bytes([len(values)]) + values + b"\x3a\x04\x0a\x02\x02\x02"
    layer = b"\x0a\x01c" + b"\x3a" + bytes([len(blob)]) + blob
    return b"\xa2\x06" + bytes([len(layer)]) + layer


def of_keras() -> bytes:
    written = io.BytesIO()
    layer = {"class_name": "Dense", "module": "keras.layers", "config": {"name": "d", "units": 3}}
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}}))
    return written.getvalue()


def read_keras(path: Path) -> None:
    check_config(_read_config(path), path, ())


TABLE = b"path,label\na.jpg,cat\nb.jpg,dog\n"
MATRIX = b"stimulus,a,b,c\na,0,1,2\nb,1,0,3\nc,2,3,0\n"
KINDS: dict[str, tuple[Callable[[], bytes], Callable[[Path], Any]]] = {
    **{
        f"image.{form}": (lambda form=form: of_image(form), lambda path: decode_file(path, (8, 8), "squash"))
        for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
    },
    "stimuli.npy": (lambda: of_arrays(np.save), lambda path: ArraySource().open(str(path))),
    "stimuli.npz": (lambda: of_arrays(np.savez_compressed), lambda path: ArraySource().open(str(path))),
    "import.npy": (lambda: of_arrays(np.save), read_file),
    "import.npz": (lambda: of_arrays(np.savez_compressed), read_file),
    "import.h5": (of_hdf5, read_file),
    "import.parquet": (of_parquet, read_file),
    "import.csv": (lambda: MATRIX, read_file),
    "import.json": (lambda: json.dumps({"rdm": [[0, 1], [1, 0]], "stimuli": ["a", "b"]}).encode(), read_file),
    "manifest.csv": (lambda: TABLE, lambda path: ManifestSource().open(str(path))),
    "model.caffemodel": (of_caffemodel, read_caffemodel),
    "graph.pb": (of_graph, lambda path: check_graph(read_graph_def(path), path)),
    "saved_model.pb": (of_saved_model, lambda path: check_saved_model(path.parent)),
    "model.keras": (of_keras, read_keras),
}


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with one to four changes."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(0, max(1, len(changed))))
        way = rng.integers(0, 5)
        if way == 0 and changed:
            changed[at % len(changed)] ^= 1 << int(rng.integers(0, 8))
        elif way == 1:
            del changed[at : at + int(rng.integers(1, 32))]
        elif way == 2:
            changed[at:at] = changed[at : at + int(rng.integers(1, 64))]
        elif way == 3:
            extreme = EXTREME[int(rng.integers(0, len(EXTREME)))]
            changed[at : at + len(extreme)] = extreme
        else:
            del changed[int(rng.integers(0, len(changed) + 1)) :]
    return bytes(changed)


def run_mutants(kind: str, folder: Path, n_mutants: int) -> None:
    make, read = KINDS[kind]
    content = make()
    prepare_codecs()
    path = folder / (kind if "image" not in kind else kind.lower())
    path.write_bytes(content)
    files = sorted(item.name for item in folder.iterdir())

    def stop(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"longer than {SECONDS} s")

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = signal.signal(signal.SIGALRM, stop)
    try:
        for number in range(n_mutants):
            path.write_bytes(mutate(content, np.random.default_rng([sum(kind.encode()), number])))
            signal.alarm(SECONDS)
            try:
                read(path)
            except LayerwiseError as error:
                said = error.message
            except Exception as error:
                raise AssertionError(f"{kind}, mutant {number}: {type(error).__name__}: {error}") from error
            else:
                said = ""
            finally:
                signal.alarm(0)
            is_one_line = "\n" not in said and len(said) < LONGEST and "unexpected" not in said
            assert is_one_line, f"{kind}, mutant {number}: {said}"
    finally:
        signal.signal(signal.SIGALRM, before)
    assert sorted(item.name for item in folder.iterdir()) == files
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < 2**21  # KiB


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_damaged_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    run_mutants(kind, tmp_path, 40)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    run_mutants(kind, tmp_path, 1200)
