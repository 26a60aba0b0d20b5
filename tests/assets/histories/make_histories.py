"""Make a small history of every schema version, each by the code of its time, with the answers of that code.

    python make_histories.py --python PYTHON --repository CHECKOUT OUTPUT

PYTHON needs what Layerwise needs (NumPy, Pillow, Keras, SQLAlchemy and so on); which Layerwise is installed there
does not matter, because each version's code is taken from a git worktree that is made here and removed again.
README.md says what comes of it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATABASE = "layerwise.db"  # where Layerwise keeps its history if it is not told otherwise
SHOWN_FOLDER = "/example"  # what stands in a history for the folder in which it was made
HOST = {"hostname": "example", "system": "Linux", "processor": "example", "cores": "2", "memory": "8.0 GiB"}
CLASSES = ("apple", "bridge", "cloud", "drum", "eagle")
N_STIMULI = 12
N_MANY = 132
Command = tuple[str, ...]

# ---------------------------------------------------------------------------------------------------------------
# What is asked. A word in braces stands for the run that was made under this name.

COMMON = ("--stimuli", "stimuli/manifest.csv", "--classes", "classes.txt", "--preprocessing", "unit")
BOTH = ("--layers", "main", "--layers", "branches")
FILED = ("--lineage", "tiny", "--tag", "purpose=asset")
EARLY = ("run", "models/early.keras", *COMMON, *BOTH, "--transform", "none", "--transform", "rank")
RUNS: dict[str, Command] = {
    "early": (*EARLY, "--checkpoint", "epoch-1", "--step", "1", *FILED),
    "late": ("run", "models/late.keras", *COMMON, *BOTH, "--checkpoint", "epoch-2", "--step", "2", *FILED),
}
HALVES = ("--layers", "mixed", "--layers", "output", "--transform", "half-a", "--transform", "half-b")
SPLIT = {"split": ("--no-plugin", "statistics", "run", "models/late.keras", *COMMON, *HALVES)}
RECORDING = {"recording": ("import", "recording.npz", "--name", "recording", "--stimuli", "{early}")}
MANY = {"many": ("import", "many.npz", "--kind", "activations", "--name", "many")}

LISTED: tuple[Command, ...] = (
    ("runs",),
    ("runs", "--lineage", "tiny"),
    ("runs", "--tag", "purpose=asset", "--model", "late"),
)
SHOWN: tuple[Command, ...] = (("show", "{early}"), ("show", "{early}", "--transform", "rank"), ("show", "{late}"))
MAIN = ("--layers", "main")
COMPARED: tuple[Command, ...] = (
    ("compare", "{early}"),
    ("compare", "{late}"),
    ("compare", "{early}", "--transform", "rank"),
    ("compare", "{early}", "{late}", *MAIN),
    ("compare", "{late}", "--with", "rsa-spearman", *MAIN),
    ("reorder", "{late}", "--by", "output"),
    ("reorder", "{late}", "--by", "input", "--method", "label"),
    ("reorder", "{early}", "--by", "mixed", "--transform", "rank"),
)
MANY_COMPARED: tuple[Command, ...] = (
    ("show", "{many}"),
    *(
        ("compare", "{many}", "--with", name)
        for name in ("rsa-pearson", "rsa-spearman", "cka", "procrustes", "svcca")
    ),
    ("compare", "{many}", "--with", "rsa-cosine", "--metric", "euclidean"),
)
IMPORTED: tuple[Command, ...] = (("show", "{recording}"), ("compare", "{late}", "{recording}"))
MORE_RSA: tuple[Command, ...] = (
    ("compare", "{late}", "--with", "rsa-rho-a", *MAIN),
    ("compare", "{late}", "--with", "rsa-cosine", *MAIN),
)
MEASURES: tuple[Command, ...] = (
    *(("compare", "{late}", "--with", name, *MAIN) for name in ("cka", "cka-debiased", "svcca", "procrustes", "imd")),
    ("compare", "{late}", "--with", "linear-predictivity", *MAIN),
    ("compare", "{early}", "{late}", "--with", "cka", *MAIN),
    ("compare", "{late}", "--with", "rsa-pearson", "--metric", "euclidean", *MAIN),
    ("compare", "{early}", "--with", "rsa-pearson", "--metric", "spearman", *MAIN),
    ("compare", "{late}", "--with", "svcca", "--variance", "0.9", *MAIN),
    ("compare", "{late}", "--with", "mutual-knn", "--k", "3", *MAIN),
)
INFERENCE: tuple[Command, ...] = (
    ("compare", "{late}", *MAIN, "--bootstrap", "100"),
    ("compare", "{late}", "--with", "cka", *MAIN, "--bootstrap", "100", "--interval", "percentile", "--level", "0.9"),
    ("compare", "{late}", *MAIN, "--permutations", "100"),
    ("compare", "{late}", *MAIN, "--permutations", "100", "--two-sided", "--correction", "bh", "--seed", "3"),
    ("difference", "{late}:mixed/1x1,output", "{late}:mixed/3x3,output", "--bootstrap", "100"),
    ("ceiling", "{split}"),
)
PROFILED: tuple[Command, ...] = (
    ("profile", "{early}"),
    ("profile", "{late}"),
    ("profile", "{early}", "{late}", "--with", "cka"),
    ("profile", "{late}", "--with", "procrustes"),
    ("importance", "{late}"),
    ("importance", "{early}"),
)
OUTPUTS_COMPARED: tuple[Command, ...] = (("compare", "{early}", "{late}", "--with", "disagreement", "jsd"),)
RESAMPLED: tuple[Command, ...] = (
    ("profile", "{late}", "--bootstrap", "100"),
    ("profile", "{late}", "--with", "cka", "--bootstrap", "100", "--interval", "jackknife", "--level", "0.9"),
)


def _table(view: str, columns: str, order: str) -> Command:
    """The question for these columns of a view, in an order that is always the same."""
    return ("query", f"SELECT {columns} FROM {view} ORDER BY {order}")


_ENDS = "first_run_id, first_layer, first_transform, second_run_id, second_layer, second_transform"
_MEASURE = "comparator, version, parameters"
TABLES: tuple[Command, ...] = (
    _table("run_list", "run_id, model, stimuli, n_stimuli, status, checkpoint, step, lineage, top1, top5", "run_id"),
    _table(
        "layer_list", "run_id, layer, transform, op, role, block, branch, n_features", "run_id, position, transform"
    ),
    _table(
        "layer_statistics",
        "run_id, layer, transform, statistic, value, reason",
        "run_id, position, transform, statistic",
    ),
    _table("layer_orderings", "run_id, layer, transform, reorderer, parameters, permutation", "1, 2, 3, 4"),
    _table(
        "stimulus_predictions", "run_id, stimulus, label, rank, class_name, probability", "run_id, position, rank"
    ),
    _table("weight_tensor_statistics", "run_id, tensor, statistic, value, reason", "run_id, position, statistic"),
    (
        "query",
        f"SELECT {_MEASURE}, count(*) AS n, min(value) AS low, max(value) AS high FROM layer_comparisons "
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    ),
)
PROFILE_TABLES: tuple[Command, ...] = (
    _table(
        "profile_list",
        f"run_id, {_MEASURE}, transform, kind, n_layers, total, smoothness, effective_steps, crossing, reason",
        "run_id, comparator, parameters",
    ),
    _table(
        "layer_profiles",
        "run_id, comparator, position, layer, depth, to_input, to_output, step, share",
        "run_id, comparator, parameters, position",
    ),
)
INFERENCE_TABLES: tuple[Command, ...] = (
    _table(
        "layer_intervals",
        f"{_MEASURE}, {_ENDS}, method, n_resamples, seed, level, low, high, reason",
        "1, 3, 4, 5, 8",
    ),
    _table("layer_tests", f"{_MEASURE}, {_ENDS}, alternative, n_permutations, seed, p, reason", "1, 3, 4, 5, 8, 10"),
)
PROFILE_INTERVALS: Command = _table(
    "profile_interval_list",
    "run_id, comparator, number, position, layer, method, n_resamples, seed, level, low, high, reason",
    "run_id, comparator, number, position",
)
CHECK: Command = ("db", "check")

# Schema 0003 came before the command `profile`: its own store and arithmetic are asked directly.
SAVE_PROFILES = """
import sys
from layerwise.core.comparing import compare_layers
from layerwise.core.measures import find_measure
from layerwise.core.profile import ProfileKey, measure_profile
from layerwise.core.records import LayerAddress
from layerwise.plugins import load_plugins
from layerwise.storage import open_store

registry = load_plugins()
with open_store("sqlite:///layerwise.db", create=False) as store:
    for run_id in sys.argv[1:]:
        layers = tuple(layer.name for layer in store.list_layers(run_id) if layer.is_main)
        measure = find_measure(registry, "rsa-pearson")
        table = compare_layers(registry, store, measure, [LayerAddress(run_id, name) for name in layers])
        profile = measure_profile(layers, table.matrix, measure.kind)
        store.save_profile(ProfileKey(run_id, layers, measure.provider), profile)
"""

DOWNGRADE = """
import sys
from layerwise.storage.migrate import downgrade
downgrade("sqlite:///layerwise.db", sys.argv[1])
"""

# Paths, the machine's name and the like, replaced before a history is put away; the checksum of a stimulus set goes
# over its path, too, and is made anew by the version's own code.
NEUTRALISE = """
import json, sqlite3, sys
from layerwise.storage.identity import stimuli_checksum

real, shown, host = sys.argv[1:]
connection = sqlite3.connect("layerwise.db", isolation_level=None)
named = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
for table in {"runs", "attempts"} & named:
    connection.execute(f"UPDATE {table} SET host = ?, hostname = ?", (host, json.loads(host)["hostname"]))
if "attempts" in named:  # since then a run also knows on which boot of which machine its process was
    connection.execute("UPDATE runs SET pid_space = NULL, process_started = NULL")
connection.execute("UPDATE stimulus_sets SET source = replace(source, ?, ?)", (real, shown))
for number, name, source, resize, fingerprint, skipped in connection.execute(
    "SELECT id, name, source, resize, fingerprint, skipped FROM stimulus_sets"
).fetchall():
    rows = connection.execute(
        "SELECT name, label, content_hash, thumbnail FROM stimuli WHERE stimulus_set_id = ? ORDER BY position",
        (number,),
    ).fetchall()
    checksum = stimuli_checksum([name, source, resize, fingerprint, json.loads(skipped)], rows)
    connection.execute("UPDATE stimulus_sets SET checksum = ? WHERE id = ?", (checksum, number))
connection.execute("VACUUM")
connection.close()
try:  # since 0018 rows have checksums
    from layerwise.storage.connect import Database, parse_url
    from layerwise.storage.holding.sealing import seal_attempt, seal_run
except ImportError:
    sys.exit()
with Database(parse_url("sqlite:///layerwise.db")).write() as connection:
    for run_id, number in connection.exec_driver_sql("SELECT run_id, number FROM attempts").fetchall():
        seal_attempt(connection, run_id, number)
    for (run_id,) in connection.exec_driver_sql("SELECT id FROM runs").fetchall():
        seal_run(connection, run_id)
"""

LAUNCHER = """
import sys
# An editable install would find modules of its own where a worktree has none.
sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in getattr(finder, "__module__", "")]
"""
COMMAND_LINE = """
from layerwise.cli import main
sys.argv[0] = "layerwise"
sys.exit(main())
"""


@dataclass(frozen=True)
class Version:
    """A schema version, and how its history is made and asked.

    Attributes:
        schema: The revision.
        commit: Whose code makes it.
        runs: The commands that make runs, by the names that stand for them.
        commands: What else is asked while the history is made; what is kept of it is asked again afterwards.
        questions: What is asked afterwards only.
        snippet: Python code that the version runs between commands and questions, on the runs early and late.
        downgraded: Whether the commit's own schema is one later, and is taken back by its migrations.
    """

    schema: str
    commit: str
    runs: Mapping[str, Command]
    commands: tuple[Command, ...]
    questions: tuple[Command, ...]
    snippet: str = ""
    downgraded: bool = False


_FIRST = (*LISTED, *SHOWN)
_IMPORTING = RUNS | RECORDING
_SPLITTING = RUNS | SPLIT | RECORDING
_FULL = (*COMPARED, *MORE_RSA, *IMPORTED, *MEASURES, *INFERENCE, *PROFILED)
_ALL_TABLES = (*TABLES, *PROFILE_TABLES, *INFERENCE_TABLES)
VERSIONS = (
    Version("0001", "af9c2d6", RUNS, COMPARED, (*_FIRST, *TABLES, CHECK), downgraded=True),
    Version("0002", "7e886dd", RUNS, COMPARED, (*_FIRST, *TABLES, CHECK)),
    Version(
        "0003",
        "1cbbf71",
        _IMPORTING,
        (*COMPARED, *MORE_RSA, *IMPORTED),
        (*_FIRST, *TABLES, *PROFILE_TABLES, CHECK),
        snippet=SAVE_PROFILES,
    ),
    Version("0004", "e8a31c6", _SPLITTING, (("measure", "{split}"), *_FULL), (*_FIRST, *_ALL_TABLES, CHECK)),
    Version("0005", "dc202cb", _SPLITTING, (("measure", "{split}"), *_FULL), (*_FIRST, *_ALL_TABLES, CHECK)),
    Version(
        "0006",
        "7a01c81",
        _SPLITTING,
        (("measure", "{split}"), *_FULL, *RESAMPLED),
        (*_FIRST, *_ALL_TABLES, PROFILE_INTERVALS, CHECK),
    ),
    Version(
        "0009",
        "e3c0e52",
        _SPLITTING,
        (("measure", "{split}"), *_FULL, *RESAMPLED),
        (*_FIRST, *_ALL_TABLES, PROFILE_INTERVALS, CHECK),
    ),
    Version(
        "0010",
        "14631e4",
        _SPLITTING | MANY,
        (("measure", "{split}"), *_FULL, *MANY_COMPARED, *RESAMPLED),
        (*_FIRST, *_ALL_TABLES, PROFILE_INTERVALS, CHECK),
    ),
    Version(
        "0012",
        "ed41358",
        _SPLITTING | MANY,
        (("measure", "{split}"), *_FULL, *MANY_COMPARED, *RESAMPLED, *OUTPUTS_COMPARED),
        (*_FIRST, *_ALL_TABLES, PROFILE_INTERVALS, CHECK),
    ),
    Version(  # what db check says of the journal depends on SQLite, so it is not asked
        "0018",
        "3abfa50",
        _SPLITTING | MANY,
        (("measure", "{split}"), *_FULL, *MANY_COMPARED, *RESAMPLED, *OUTPUTS_COMPARED),
        (*_FIRST, *_ALL_TABLES, PROFILE_INTERVALS),
    ),
)

# ---------------------------------------------------------------------------------------------------------------
# What is analysed.


def make_material(folder: Path) -> None:
    """Write two checkpoints of a tiny network, twelve labelled pictures, a recording, and activations.

    Always the same numbers.
    """
    import numpy as np

    numbers = np.random.default_rng(6)
    (folder / "models").mkdir(parents=True)
    (folder / "stimuli").mkdir()
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES), encoding="utf-8")
    names = _make_stimuli(folder / "stimuli", numbers)
    _make_models(folder / "models", numbers)
    points = numbers.normal(size=(N_STIMULI, 6))
    np.savez(folder / "recording.npz", it=1 - np.corrcoef(points), names=np.array(names))
    _make_activations(folder / "many.npz")


def _make_activations(path: Path) -> None:
    """Save two layers of so many stimuli that they are kept in float32; some are nearly equal, biases are large."""
    import numpy as np

    numbers = np.random.default_rng(10)
    before = numbers.normal(size=(N_MANY, 160))
    before[1:4] = before[0] + 1e-3 * before[1:4]
    after = np.maximum(before @ numbers.normal(size=(160, 200)), 0)
    biased = before + 100 * numbers.normal(size=160)
    names = [f"{index:03d}" for index in range(N_MANY)]
    np.savez(path, before=biased.astype(np.float32), after=after.astype(np.float32), names=np.array(names))


def _make_stimuli(folder: Path, numbers: Any) -> list[str]:
    """Write pictures of a few random waves, with a manifest."""
    import numpy as np
    from PIL import Image

    waves = np.cos(np.outer(np.arange(3), np.linspace(0, np.pi, 16)))
    names = [f"{index + 1:02d}.png" for index in range(N_STIMULI)]
    for name in names:
        heights = np.einsum("cij,iy,jx->yxc", numbers.normal(size=(3, 3, 3)), waves, waves)
        Image.fromarray((255 / (1 + np.exp(-heights))).astype(np.uint8)).save(folder / name)
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        rows = ((name, CLASSES[index % len(CLASSES)]) for index, name in enumerate(names))
        csv.writer(file).writerows([("path", "label"), *rows])
    return names


def _make_models(folder: Path, numbers: Any) -> None:
    """Save a network before and after what could have been its training; at first one branch is dead."""
    import keras
    import numpy as np

    layers = keras.layers
    image = keras.Input((16, 16, 3), name="image")
    stem = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="stem")(image)
    narrow = layers.Conv2D(4, 1, activation="relu", name="mixed_1x1")(stem)
    wide = layers.Conv2D(4, 3, padding="same", activation="relu", name="mixed_3x3")(stem)
    mixed = layers.Concatenate(name="mixed")([narrow, wide])
    pool = layers.GlobalAveragePooling2D(name="pool")(mixed)
    scores = layers.Softmax(name="softmax")(layers.Dense(len(CLASSES), name="logits")(pool))
    model = keras.Model(image, scores, name="tiny")
    for name in ("early", "late"):
        shapes = [weight.shape for weight in model.get_weights()]
        scales = [2 / np.sqrt(np.prod(shape[:-1])) if len(shape) > 1 else 0.1 for shape in shapes]
        model.set_weights([numbers.normal(0, scale, shape) for scale, shape in zip(scales, shapes, strict=True)])
        if name == "early":
            dead = model.get_layer("mixed_3x3")
            dead.set_weights([np.zeros_like(weight) for weight in dead.get_weights()])
        model.save(folder / f"{name}.keras")


# ---------------------------------------------------------------------------------------------------------------
# How the code of a version is run.


class Code:
    """The code of one version, in a worktree.

    Attributes:
        python: The interpreter.
        tree: The worktree.
        folder: Where it is run; its history is there.
    """

    def __init__(self, python: str, tree: Path, folder: Path) -> None:
        self.python = python
        self.tree = tree
        self.folder = folder
        self._environment = _environment(tree, _write_metadata(tree))

    def run(self, code: str, *arguments: str) -> str:
        """Run Python code, and return what it printed.

        Raises:
            RuntimeError: If it fails, or if it is not the worktree's Layerwise that is imported.
        """
        where = f"import layerwise; assert layerwise.__file__.startswith({str(self.tree)!r}), layerwise.__file__\n"
        done = subprocess.run(
            [self.python, "-c", LAUNCHER + where + code, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def ask(self, command: Command) -> Any:
        """Run a command line with `--json`, and return what it printed."""
        return json.loads(self.run(COMMAND_LINE, *command, "--json"))

    def elsewhere(self, folder: Path) -> Code:
        """The same code, run in another folder."""
        return Code(self.python, self.tree, folder)


def _write_metadata(tree: Path) -> Path:
    """Say which release the worktree is, whatever is installed; results are kept under this number."""
    version = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    folder = tree.parent / f"{tree.name}-metadata"
    described = folder / f"layerwise-{version}.dist-info"
    described.mkdir(parents=True, exist_ok=True)
    (described / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: layerwise\nVersion: {version}\n", encoding="utf-8"
    )
    return folder


def _environment(*paths: Path) -> dict[str, str]:
    """The environment of a process that imports from these folders first, and has no settings of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAYERWISE_")}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONDONTWRITEBYTECODE": "1"}
    return kept | quiet | {"PYTHONPATH": os.pathsep.join(map(str, paths))}


@contextmanager
def check_out(repository: Path, commit: str, tree: Path) -> Iterator[Path]:
    """A worktree of a commit, for as long as it is needed."""
    git = ["git", "-C", str(repository), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)
    try:
        yield tree
    finally:
        subprocess.run([*git, "remove", "--force", str(tree)], check=True)


# ---------------------------------------------------------------------------------------------------------------
# Making and asking.


def make_history(version: Version, code: Code) -> dict[str, str]:
    """Make a version's history in the code's folder; returns the runs' ids by name."""
    ids: dict[str, str] = {}
    for name, command in version.runs.items():
        ids[name] = code.ask(_fill(command, ids))["run_id"]
    for command in version.commands:
        code.ask(_fill(command, ids))
    if version.snippet:
        code.run(version.snippet, ids["early"], ids["late"])
    if version.downgraded:
        code.run(DOWNGRADE, version.schema)
    code.run(NEUTRALISE, str(code.folder), SHOWN_FOLDER, json.dumps(HOST))
    return ids


def ask_history(version: Version, code: Code, ids: Mapping[str, str], scratch: Path) -> list[dict[str, Any]]:
    """Ask a version's questions of copies of its history, one of them without representations.

    Raises:
        RuntimeError: If an answer is not in the history, or is another one the second time.
    """
    whole = _copy_history(version, code, scratch / "whole")
    bare = _copy_history(version, code, scratch / "bare")
    with closing(sqlite3.connect(bare.folder / DATABASE, isolation_level=None)) as connection:
        connection.execute("DELETE FROM tiles")
    before = count_rows(whole.folder / DATABASE)
    asked = []
    for command in dict.fromkeys(_fill(command, ids) for command in (*version.commands, *version.questions)):
        answer = whole.ask(command)
        kept = _ask_or_fail(bare, command) == answer
        if not kept and whole.ask(command) != answer:
            raise RuntimeError(f"{' '.join(command)}: two answers")
        asked.append({"arguments": list(command), "kept": kept, "answer": answer})
    after = count_rows(whole.folder / DATABASE)
    if after != before:
        raise RuntimeError(f"{version.schema}: rows were added by asking: {before}, {after}")
    return asked


def _copy_history(version: Version, code: Code, folder: Path) -> Code:
    """A copy that the version's code can read, in a folder of its own."""
    folder.mkdir(parents=True)
    shutil.copyfile(code.folder / DATABASE, folder / DATABASE)
    copy = code.elsewhere(folder)
    if version.downgraded:
        copy.ask(("db", "upgrade"))
    return copy


def _ask_or_fail(code: Code, command: Command) -> Any:
    """The answer, None where there is none."""
    try:
        return code.ask(command)
    except RuntimeError:
        return None


def _fill(command: Command, ids: Mapping[str, str]) -> Command:
    """A command with the runs' ids in the place of their names."""
    filled = list(command)
    for name, run_id in ids.items():
        filled = [word.replace(f"{{{name}}}", run_id) for word in filled]
    return tuple(filled)


def count_rows(database: Path) -> dict[str, int]:
    """How many rows each table of a history has."""
    with closing(sqlite3.connect(database)) as connection:
        chosen = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        names = [name for (name,) in connection.execute(chosen)]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def check_neutral(file: Path, scratch: Path) -> None:
    """See that nothing in a file names this machine or the folder it was made in, and that no log lies beside it.

    Raises:
        RuntimeError: If something does.
    """
    left = [path.name for path in file.parent.glob(f"{file.name}-*")]
    content = file.read_bytes()
    words = [str(scratch), str(Path.home()), socket.gethostname()]
    found = [word for word in words if len(word) > 3 and word.encode() in content]
    if left or found:
        raise RuntimeError(f"{file}: beside it {left}, in it {found}")


def write_history(database: Path, target: Path) -> None:
    """Put a history away, compressed, without the date and name that gzip would add."""
    with target.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(database.read_bytes())


def write_answers(
    version: Version, ids: Mapping[str, str], rows: Mapping[str, int], asked: Sequence[Any], target: Path
) -> None:
    """Write a version's questions and answers, one in a line."""
    head = {"schema": version.schema, "commit": version.commit, "runs": dict(ids), "rows": dict(rows)}
    lines = ",\n".join(json.dumps(question, ensure_ascii=False) for question in asked)
    text = f'{json.dumps(head, ensure_ascii=False)[:-1]}, "questions": [\n{lines}\n]}}\n'
    target.write_text(text, encoding="utf-8")


def make_all(python: str, repository: Path, output: Path, schemas: Sequence[str]) -> None:
    """Make the histories of these schema versions, and their answers."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name).resolve()
        material = scratch / "material"
        make = [python, str(Path(__file__).resolve()), "--material", str(material)]
        subprocess.run(make, check=True, env=_environment(), capture_output=True)
        for version in VERSIONS:
            if version.schema not in schemas:
                continue
            folder = scratch / version.schema
            shutil.copytree(material, folder)
            with check_out(repository, version.commit, scratch / f"code-{version.schema}") as tree:
                code = Code(python, tree, folder)
                ids = make_history(version, code)
                asked = ask_history(version, code, ids, scratch / f"asked-{version.schema}")
            rows = count_rows(folder / DATABASE)
            write_answers(version, ids, rows, asked, folder / "answers.json")
            for made in (DATABASE, "answers.json"):
                check_neutral(folder / made, scratch)
            write_history(folder / DATABASE, output / f"{version.schema}.db.gz")
            shutil.copyfile(folder / "answers.json", output / f"{version.schema}.json")
            print(f"{version.schema}: {len(asked)} questions, {sum(question['kept'] for question in asked)} kept")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("output", type=Path, help="folder to write to")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has what Layerwise needs")
    parser.add_argument("--repository", type=Path, default=Path(), help="a checkout with its whole history")
    parser.add_argument("--schema", action="append", help="make this one, even anew; by default all that are missing")
    parser.add_argument("--material", action="store_true", help="only write models, pictures and recording")
    arguments = parser.parse_args()
    if arguments.material:
        make_material(arguments.output)
        return
    missing = [each.schema for each in VERSIONS if not (arguments.output / f"{each.schema}.db.gz").exists()]
    schemas = arguments.schema or missing
    make_all(arguments.python, arguments.repository, arguments.output, schemas)


if __name__ == "__main__":
    main()
