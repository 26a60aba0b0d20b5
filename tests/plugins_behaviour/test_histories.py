"""What becomes of results when plugins share a name, are uninstalled, change, or are left out."""

from __future__ import annotations

import io
import json

import pytest

MEASURE = """
import numpy as np
from layerwise.plugin import ActivationStatistic, Comparator, Metric, Reorderer, StatisticValue, hookimpl

VALUE = {value}

class Mine(Comparator):
    name = "{name}"
    description = "the same for all"
    revision = {revision}
    kind = "similarity"
    symmetric = True
    value_range = (0.0, 1.0)
    invariant_to = frozenset()
    def prepare(self, representation): return None
    def compare(self, first, second): return VALUE

class Order(Reorderer):
    name = "{name}-order"
    description = "as they are, or backwards"
    revision = {revision}
    def order(self, similarity, labels): return np.arange(len(similarity))[::(1 if VALUE < 0.5 else -1)]

class Number(ActivationStatistic):
    name = "{name}-number"
    description = "a number"
    revision = {revision}
    def compute(self, summary): return StatisticValue(VALUE)

class Alike(Metric):
    name = "{name}-metric"
    description = "its own"
    revision = {revision}
    kind = "similarity"
    def compute(self, representation): return VALUE * np.eye(representation.n_stimuli)

@hookimpl
def register_comparators(): return [Mine()]
@hookimpl
def register_reorderers(): return [Order()]
@hookimpl
def register_statistics(): return [Number()]
@hookimpl
def register_metrics(): return [Alike()]
"""


def measure(value: float = 0.25, name: str = "mine", revision: int = 1) -> str:
    return MEASURE.format(value=value, name=name, revision=revision)


def test_a_name_that_two_plugins_offer_is_an_error_that_lists_both_and_each_is_found_by_its_full_name(
    site, command_line
):
    site.install("lw_one", measure(0.25))
    site.install("lw_two", measure(0.75))
    said = command_line("compare", "latest", "--with", "mine", "--json")
    assert said.code == 2
    assert "comparator 'mine' is offered by several plugins: say lw_one:mine or lw_two:mine" in said.err
    for name, value in (("lw_one", 0.25), ("lw_two", 0.75)):
        found = command_line("compare", "latest", "--with", f"{name}:mine", "--json").json
        assert found["matrix"][0][0] == value
        assert found["provider"] == f"{name}:mine 1.0"
    assert command_line("--no-plugin", "lw_two", "compare", "latest", "--with", "mine", "--json").json["matrix"][0][
        0
    ] == pytest.approx(0.25)


@pytest.mark.parametrize("call", [("show", "latest"), ("compare", "latest"), ("profile", "latest")])
def test_a_plugin_that_offers_a_built_in_name_breaks_no_default(site, command_line, call):
    site.install("lw_one", measure(0.25, "rsa-pearson"))
    said = command_line(*call, "--json")
    assert said.code == 0, said.err
    assert command_line("compare", "latest", "--with", "rsa-pearson").code == 2


def test_results_of_an_uninstalled_plugin_are_listed_and_shown_and_asking_for_it_says_what_to_install(
    site, command_line, tmp_path, toy
):
    site.install("lw_mine", measure(), version="0.3.1")
    assert toy().code == 0
    assert command_line("compare", "latest", "--with", "mine").code == 0
    assert command_line("compare", "latest", "--with", "rsa-pearson", "--metric", "mine-metric").code == 0
    assert command_line("reorder", "latest", "--by", "input", "--method", "mine-order").code == 0
    site.uninstall("lw_mine")
    for call in (
        ("runs",),
        ("show", "latest"),
        ("compare", "latest"),
        ("export", "latest", "-o", tmp_path / "x.npz"),
        ("report", "latest", "-o", tmp_path / "r.html", "--section", "overview"),
        ("db", "check"),
    ):
        said = command_line(*call)
        assert said.code == 0, (call, said.err)
    come_from = "results in this history were computed by it, from lw_mine 0.3.1, which is not installed: "
    for call in (
        ("compare", "latest", "--with", "mine"),
        ("compare", "latest", "--with", "lw_mine:mine"),
        ("compare", "latest", "--with", "rsa-pearson", "--metric", "mine-metric"),
        ("reorder", "latest", "--by", "input", "--method", "mine-order"),
        ("measure", "latest", "--statistic", "mine-number"),
    ):
        said = command_line(*call)
        assert said.code == 2
        assert f"{come_from}`layerwise plugins install lw_mine`" in said.err, said.err


ENGINE = """
from layerwise.plugin import Engine, Transform, hookimpl
import layerwise.plugins.engines

class Mine(Engine):
    name = "my-engine"
    description = "the built-in one"
    def stream(self, job, sink): layerwise.plugins.engines.register_engines()[0].stream(job, sink)

class Half(Transform):
    name = "halved"
    description = "half of it"
    additive = True
    def apply(self, activations): return activations / 2

@hookimpl
def register_engines(): return [Mine()]
@hookimpl
def register_transforms(): return [Half()]
"""


def test_a_missing_engine_transform_or_loader_is_led_back_to_its_distribution(site, command_line, toy):
    site.install("lw_engine", ENGINE, version="2.0")
    assert toy("--engine", "my-engine", "--transform", "halved").code == 0
    site.uninstall("lw_engine")
    for option in (("--engine", "my-engine"), ("--transform", "halved")):
        said = toy(*option)
        assert said.code == 2
        assert "from lw_engine 2.0, which is not installed: `layerwise plugins install lw_engine`" in said.err
    site.uninstall("lw_toy")
    said = command_line("run", "toy", "--stimuli", "digits:")
    assert said.code == 2
    assert "no model 'toy'" in said.err
    assert "from lw_toy 1.0, which is not installed: `layerwise plugins install lw_toy`" in said.err


def test_a_model_file_whose_loader_is_gone_is_led_back_to_its_distribution(
    site, command_line, toy, monkeypatch, tmp_path
):
    source = (site.folder / "lw_toy.py").read_text(encoding="utf-8")
    site.install("lw_toy", source.replace('model == "toy"', 'model.endswith(".toy")'))
    file = tmp_path / "small.toy"
    file.write_text("weights")
    assert command_line("run", file, "--stimuli", "digits:").code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO())
    asked = command_line("plugins", "uninstall", "lw_toy")
    assert "--yes is needed" in asked.err
    assert "what it computed stays in the history (1 run of models it loaded)" in asked.out
    site.uninstall("lw_toy")
    said = command_line("run", file, "--stimuli", "digits:")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert f"no loader knows what to do with the file '{file}'; results in this history were" in said.err
    assert "from lw_toy 1.0, which is not installed: `layerwise plugins install lw_toy`" in said.err


def test_asking_for_what_was_left_out_or_did_not_load_or_is_gone_says_which_it_is(site, command_line, monkeypatch):
    site.install("lw_mine", measure())
    ask = ("compare", "latest", "--with", "mine")
    assert command_line(*ask).code == 0
    assert "from lw_mine 1.0, which is left out by --no-plugin" in command_line("--no-plugin", "lw_mine", *ask).err
    site.install("lw_mine", measure().replace('"mine"', '"renamed"'), version="2.0")
    assert "from lw_mine 1.0, which offered it; installed is lw_mine 2.0, which does not" in command_line(*ask).err
    site.install("lw_mine", "import no_such_library", version="2.0")
    assert "from lw_mine 1.0, which did not load: importing it raised ModuleNotFoundError" in command_line(*ask).err


def test_results_of_two_revisions_are_never_mixed(site, command_line, toy):
    compare = ("compare", "latest", "--with", "mine", "--json")
    through_metric = ("compare", "latest", "--with", "rsm-norm-difference", "--metric", "mine-metric", "--json")
    order = ("reorder", "latest", "--by", "input", "--method", "mine-order", "--json")
    number = "SELECT s.value FROM statistics s WHERE s.name = 'mine-number' AND s.provider_revision = {}"
    answers = {}
    for revision, version, value in ((1, "1.0", 0.25), (2, "2.0", 0.75)):
        site.install("lw_mine", measure(value, revision=revision), version=version)
        run = toy("--json").json
        assert run["status"] == "finished"  # the statistics' revisions are part of the run's key
        shown = command_line("show", "latest", "--json").json
        assert f"lw_mine (lw_mine {version})" in shown["plugins"]
        answers[version] = run["run_id"]
        found = command_line(*compare).json
        assert (found["provider"], found["matrix"][0][0]) == (f"lw_mine:mine {version}", value)
        measured = command_line(*through_metric).json
        assert measured["parameters"] == {"metric": f"lw_mine:mine-metric r{revision}"}
        assert measured["provider"].endswith(f", lw_mine {version}")
        ordered = command_line(*order).json
        assert ordered["provider"] == f"lw_mine:mine-order {version}"
        assert ordered["permutation"][0] == (0 if value < 0.5 else 23)
        rows = command_line("query", number.format(revision), "--format", "json").json
        assert {row["value"] for row in rows} == {value}
    assert len(set(answers.values())) == 2


def test_a_comparison_that_a_new_revision_is_asked_for_is_computed_anew_on_the_same_run(site, command_line):
    for revision, value in ((1, 0.25), (2, 0.75), (1, 0.25)):
        site.install("lw_mine", measure(value, revision=revision))
        assert command_line("compare", "latest", "--with", "mine", "--json").json["matrix"][0][0] == value
    chosen = "SELECT DISTINCT revision FROM layer_comparisons WHERE comparator = 'lw_mine:mine' ORDER BY 1"
    stored = command_line("query", chosen, "--format", "json").json
    assert [row["revision"] for row in stored] == [1, 2]


def test_a_release_that_changes_no_number_forgets_none(site, command_line, toy):
    asked = ("compare", "latest", "--with", "mine", "--json")
    site.install("lw_mine", measure(0.25), version="1.0")
    first = toy("--json").json
    assert command_line(*asked).json["matrix"][0][0] == 0.25
    # The same revision vouches for the same numbers; that it lies here shows that nothing is computed again.
    site.install("lw_mine", measure(0.75), version="2.0")
    assert toy("--json").json == first | {"status": "stored"}
    assert command_line(*asked).json["matrix"][0][0] == 0.25
    stored = "SELECT DISTINCT revision, version FROM layer_comparisons WHERE comparator = 'lw_mine:mine'"
    assert command_line("query", stored, "--format", "json").json == [{"revision": 1, "version": "1.0"}]


def names(said) -> set[str]:
    return {plugin["name"] for plugin in said.json if plugin["distribution"] != "layerwise"}


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (None, {"lw_one", "lw_two"}),
        ("", set()),
        ("lw_one", {"lw_one"}),
        ("lw-two", {"lw_two"}),
        (" lw_one , lw_two ,", {"lw_one", "lw_two"}),
    ],
)
def test_the_environment_says_which_installed_plugins_are_wanted(site, command_line, monkeypatch, wanted, there):
    site.install("lw_one", measure(name="a"))
    site.install("lw_two", measure(name="b"))
    if wanted is not None:
        monkeypatch.setenv("LAYERWISE_PLUGINS", wanted)
    said = command_line("plugins", "--json")
    assert names(said) == there
    assert said.err == ""
    assert command_line("compare", "latest", "--with", "cka").code == 0


def test_a_name_that_is_no_plugin_s_is_one_line_of_warning_and_the_command_goes_on(site, command_line, monkeypatch):
    monkeypatch.setenv("LAYERWISE_PLUGINS", "lw_none")
    said = command_line("--no-plugin", "lw_neither", "compare", "latest", "--with", "cka", "--json")
    assert said.code == 0
    assert said.err.splitlines() == [
        "layerwise: warning: --no-plugin: no plugin 'lw_neither' is installed",
        "layerwise: warning: LAYERWISE_PLUGINS: no plugin 'lw_none' is installed",
    ]


def test_a_name_that_is_nearly_a_plugin_s_is_led_to_it_by_every_command(site, command_line):
    site.install("lw_mine", measure())
    said = command_line("--no-plugin", "lw_minne", "plugins", "--json")
    assert (
        said.err
        == "layerwise: warning: --no-plugin: no plugin 'lw_minne' is installed; did you mean lw_mine or lw-mine?\n"
    )


def test_tracing_a_command_tells_which_plugin_was_called_how_often_and_how_long(site, command_line, tmp_path):
    site.install("lw_mine", measure())
    said = command_line("plugins", "trace", "compare", "latest", "--with", "mine", "--json")
    assert said.code == 0, said.err
    assert said.json["provider"] == "lw_mine:mine 1.0"
    assert " ".join(said.err.splitlines()[0].split()) == "plugin hook: call times total s own s longest s"
    rows = {tuple(line.split()[1:-4]): line.split()[-4] for line in said.err.splitlines() if "lw_mine" in line}
    assert rows["comparators:", "mine.prepare"] == "10"
    assert rows["comparators:", "mine.compare"] == "55"
    assert rows[("register_comparators",)] == "1"
    assert rows[("import",)] == "1"


def test_a_trace_can_be_written_to_a_file_and_is_told_of_a_command_that_fails(site, command_line, tmp_path):
    site.install("lw_mine", measure().replace("return VALUE\n", "raise ValueError('oh')\n", 1))
    file = tmp_path / "trace.json"
    said = command_line(
        "plugins", "trace", "--json", file, "layerwise", "compare", "latest", "--with", "mine", "--json"
    )
    assert said.code == 1
    assert said.json["provider"] == "lw_mine:mine 1.0"
    calls = {call["what"]: call for call in json.loads(file.read_text()) if call["plugin"] == "lw_mine"}
    assert calls["mine.compare"]["n_calls"] == calls["mine.compare"]["n_failed"] == 55
    assert calls["mine.prepare"]["n_failed"] == 0
    assert calls["mine.prepare"]["seconds"] >= calls["mine.prepare"]["longest"] > 0


def test_options_before_a_trace_are_the_traced_command_s_too(site, command_line):
    site.install("lw_mine", measure())
    said = command_line("--no-plugin", "lw_mine", "plugins", "trace", "compare", "latest", "--with", "mine")
    assert said.code == 2
    assert "no comparator 'mine'" in said.err
