"""Draws the pictures and the reports of the documentation again, by the commands that the documentation shows.

    python docs/pictures.py --googlenet googlenet.db --demo demo/layerwise.db

Histories are read as they are; `make pictures` makes both of them first, from the real weights and photos, in a
folder in which they are called as in the documentation. What is written holds numbers over all photos: no photo, no
photo's name, and nothing about the machine it was made on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sqlite3
import tempfile
from pathlib import Path, PurePath

from layerwise.cli import main

HERE = Path(__file__).absolute().parent
SECTIONS = (
    "overview,layer-matrix,transition,branches,sparseness,dimension,weights,provenance"  # of numbers over all photos
)

# Name, file, and what is said besides; each is `layerwise figure NAME RUN... -o FILE`.
OF_GOOGLENET = (
    ("layer-matrix", "layer-matrix.svg", ("--width", "page")),
    ("branch-matrix", "branch-matrix.svg", ("--width", "1.5")),
    ("branch-matrix", "branch-matrix-dark.svg", ("--width", "1.5", "--theme", "dark")),
    ("profile", "profile.svg", ()),
    ("steps", "steps.svg", ()),
    ("pace", "pace.svg", ()),
    ("matrices", "matrices.png", ("--width", "page", "--by", "input", "--dpi", "150")),
    ("matrix", "matrix.png", ("--layers", "mixed4c", "--by", "output", "--dpi", "150")),
    ("branch-depth", "branch-depth.svg", ()),
    ("importance", "importance.svg", ()),
    ("sparseness", "sparseness.svg", ()),
    ("dimension", "dimension.svg", ()),
    ("layer-map", "layer-map.svg", ("--width", "1.5")),
    ("weights", "weights.png", ("--dpi", "130")),
)
OF_DEMO = (
    ("checkpoints", "checkpoints.svg", ()),
    ("accuracy", "accuracy.svg", ()),
    ("settling", "settling.svg", ()),
)


def call(*words: object) -> None:
    """Run one command line; stop where it fails."""
    if main([str(word) for word in words]) != 0:
        raise SystemExit(f"failed: layerwise {' '.join(str(word) for word in words)}")


def forget_host(database: Path) -> None:
    """Take out of a history what it knows of the machine: names, speed, and where its folders lie."""
    with sqlite3.connect(database) as connection:
        for set_id, source in connection.execute("SELECT id, source FROM stimulus_sets").fetchall():
            connection.execute("UPDATE stimulus_sets SET source = ? WHERE id = ?", (PurePath(source).name, set_id))
        connection.execute("UPDATE attempts SET costs = NULL")
        connection.execute("UPDATE runs SET host = ?, timings = ?", (json.dumps({}), json.dumps({})))


def list_runs(database: Path) -> list[str]:
    """The ids of the finished runs, oldest first."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT id FROM runs WHERE status = 'finished' ORDER BY started_at").fetchall()
    return [row[0] for row in rows]


def shrink(path: Path) -> None:
    """A PNG in the colours of the scale and a few greys: a quarter of the size, and hardly a colour another."""
    import numpy as np
    from PIL import Image

    from layerwise.report.drawing import diverging_colours

    greys = [(level, level, level) for level in range(0, 256, 5)]
    palette = np.array([*diverging_colours(201), *greys])
    with Image.open(path) as image:
        pixels, dpi = np.asarray(image.convert("RGB")).astype(int), image.info["dpi"]
    found, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    nearest = np.array([((palette - colour) ** 2).sum(axis=1).argmin() for colour in found], dtype=np.uint8)
    few = Image.fromarray(nearest[places].reshape(pixels.shape[:2]), "P")
    few.putpalette(palette.astype(np.uint8).tobytes())
    few.save(path, optimize=True, dpi=dpi)


def draw(googlenet: Path, demo: Path) -> None:
    """Write docs/pictures and docs/reports."""
    pictures, reports = HERE / "pictures", HERE / "reports"
    for folder in (pictures, reports):
        folder.mkdir(exist_ok=True)
    sources = {"googlenet": googlenet.absolute(), "demo": demo.absolute()}
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):  # so that reports name no folder
        copies = {name: Path(f"{name}.db") for name in sources}
        for name, source in sources.items():
            shutil.copy(source, copies[name])
            call("db", "upgrade", "--db", copies[name])
            forget_host(copies[name])
        for figures, name in ((OF_GOOGLENET, "googlenet"), (OF_DEMO, "demo")):
            runs = list_runs(copies[name]) if name == "demo" else ["latest"]
            for figure, file, more in figures:
                call("figure", figure, *runs, "-o", pictures / file, *more, "--db", copies[name])
                if figure in ("matrix", "matrices"):
                    shrink(pictures / file)
        arguments = ("--no-photos", "--sections", SECTIONS, "--db", copies["googlenet"])
        call("report", "latest", "-o", reports / "googlenet.html", *arguments)
        call("report", *list_runs(copies["demo"]), "-o", reports / "demo.html", "--db", copies["demo"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--googlenet", type=Path, required=True, help="history of GoogLeNet on the 500 photos")
    parser.add_argument("--demo", type=Path, required=True, help="history that `layerwise demo` has made")
    asked = parser.parse_args()
    draw(asked.googlenet, asked.demo)
