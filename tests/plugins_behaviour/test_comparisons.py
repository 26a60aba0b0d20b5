"""Plugins that fail on what is stored: the layers, pairs and measures that can be computed are."""

from __future__ import annotations

import re

import pytest

COMPARATOR = """
import time
import numpy as np
from layerwise.plugin import Comparator, InputError, hookimpl

class Odd(Comparator):
    name = "odd"
    description = "odd"
    kind = "similarity"
    symmetric = True
    value_range = (-1.0, 1.0)
    invariant_to = frozenset()
    {attributes}
    def prepare(self, representation):
        {prepare}
    def compare(self, first, second):
        {compare}
    {more}

@hookimpl
def register_comparators(): return [Odd()]
"""


def comparator(
    prepare: str = "return representation", compare: str = "return 0.5", more: str = "", attributes: str = ""
) -> str:
    return COMPARATOR.format(prepare=prepare, compare=compare, more=more, attributes=attributes)


COMPARE = ("compare", "latest", "--with", "odd", "--json")
SMALL = "representation.n_features == 10"  # of `logits` and `output`


@pytest.mark.parametrize("attributes", ["", "threaded = True"])
@pytest.mark.parametrize(
    ("bad", "came"),
    [
        ("raise ValueError('oh')", "odd.prepare raised ValueError: oh"),
        ("raise SystemExit(3)", "odd.prepare raised SystemExit: 3"),
        ("representation.norm[:] = 1", "is not to be changed: copy it first"),
    ],
)
def test_a_layer_that_a_comparator_cannot_prepare_is_left_out_and_the_command_ends_with_1(
    site, command_line, attributes, bad, came
):
    source = comparator(f"if {SMALL}: {bad}\n        return representation", attributes=attributes)
    site.install("lw_odd", source)
    said = command_line(*COMPARE)
    assert said.code == 1
    assert "layerwise: error: not all of it could be compared, because a plugin failed:" in said.err
    assert "plugin 'lw_odd' (register_comparators): " in said.err
    assert came in said.err
    names = [layer["layer"] for layer in said.json["layers"]]
    values = {(a, b): said.json["matrix"][i][j] for i, a in enumerate(names) for j, b in enumerate(names)}
    assert values["input", "average"] == 0.5
    assert values["input", "output"] is None


def test_what_a_plugin_failed_on_is_not_kept_and_asked_again(site, command_line):
    site.install("lw_odd", comparator(f"if {SMALL}: raise ValueError('oh')\n        return representation"))
    assert command_line(*COMPARE).code == 1
    site.install("lw_odd", comparator())
    said = command_line(*COMPARE)
    assert said.code == 0, said.err
    assert all(value == 0.5 for row in said.json["matrix"] for value in row)


@pytest.mark.parametrize(
    ("returned", "came"),
    [
        ("'0.5'", "odd returned str '0.5', expected a finite number from -1.0 to 1.0"),
        ("None", "odd returned NoneType None, expected a finite number from -1.0 to 1.0"),
        ("np.ones(3)", "odd returned an array of float64 with shape (3,), expected a finite number"),
        ("float('nan')", "odd returned nan, expected a finite number from -1.0 to 1.0"),
        ("7.0", "odd returned 7.0, expected a finite number from -1.0 to 1.0"),
        ("True", "odd returned bool True"),
        ("1 / 0", "odd.compare raised ZeroDivisionError: division by zero"),
    ],
)
def test_a_value_that_is_none_is_refused_for_its_pair_alone(site, command_line, returned, came):
    odd = f"return {returned} if first.n_features != second.n_features else 0.5"
    site.install("lw_odd", comparator(compare=odd))
    said = command_line(*COMPARE)
    assert said.code == 1
    assert f"plugin 'lw_odd' (register_comparators): {came}" in said.err
    matrix = said.json["matrix"]
    assert matrix[0][0] == matrix[-1][-1] == matrix[-1][-2] == 0.5
    assert matrix[0][1] is None
    assert all(came in entry["reason"] for entry in said.json["reasons"])


def test_a_user_s_mistake_that_a_comparator_tells_of_is_a_reason_and_no_failure(site, command_line):
    site.install("lw_odd", comparator(f"if {SMALL}: raise InputError('ten units are too few')\n        return 0"))
    said = command_line(*COMPARE)
    assert said.code == 0
    assert {entry["reason"].partition(": ")[2] for entry in said.json["reasons"]} == {"ten units are too few"}


@pytest.mark.parametrize("returned", ["None", "np.ones((2, 2))", "'all'", "1 / 0"])
def test_when_all_pairs_at_once_fail_each_is_compared_by_itself(site, command_line, returned):
    site.install("lw_odd", comparator(more=f"def compare_all(self, rows, columns): return {returned}"))
    said = command_line(*COMPARE)
    assert said.code == 0
    assert all(value == 0.5 for row in said.json["matrix"] for value in row)
    assert said.err.startswith("layerwise: warning: plugin 'lw_odd' (register_comparators): odd")
    assert said.err.endswith("each pair is compared by itself\n")
    assert said.err.count("\n") == 1


def test_another_comparator_of_the_same_command_is_not_stopped(site, command_line):
    site.install("lw_odd", comparator("raise ValueError('oh')"))
    said = command_line("compare", "latest", "--with", "odd", "cka", "--json")
    assert said.code == 1
    assert [one["comparator"] for one in said.json] == ["odd", "cka"]
    assert said.json[1]["matrix"][0][0] == pytest.approx(1)
    assert len(said.err.splitlines()) <= 6


def test_resampling_with_a_comparator_that_fails_ends_with_its_name(site, command_line):
    site.install("lw_odd", comparator("if representation.n_stimuli < 40: raise ValueError('oh')\n        return 0"))
    said = command_line("compare", "latest", "--with", "odd", "cka", "--bootstrap", "20", "--json")
    assert said.code == 1
    assert "plugin 'lw_odd' (register_comparators): odd.prepare raised ValueError: oh" in said.err
    assert [one["comparator"] for one in said.json] == ["cka"]


def test_what_a_comparator_prints_is_kept_out_of_the_result(site, command_line):
    site.install("lw_odd", comparator("print('preparing'); return 0", "print('comparing'); return 0.5"))
    said = command_line(*COMPARE)
    assert said.code == 0
    assert said.json["comparator"] == "odd"
    assert "preparing" in said.err
    assert "comparing" in said.err


def test_people_are_told_what_is_being_waited_for(site, command_line, monkeypatch):
    monkeypatch.setattr("layerwise.core.host.under_way.NOTICE_SECONDS", 0.0)
    monkeypatch.setattr("layerwise.core.host.under_way.LOOK_SECONDS", 0.001)
    is_told = "import sys\n        while 'waiting' not in sys.stderr.getvalue(): time.sleep(0.001)"
    site.install("lw_odd", comparator(f"{is_told}\n        return 0"))
    said = command_line(*COMPARE)
    assert said.code == 0
    waiting = "waiting for plugin 'lw_odd' (register_comparators): odd.prepare, silent for 0 s"
    assert f"layerwise: warning: {waiting}" in said.err


METRIC = """
import numpy as np
from layerwise.plugin import Metric, hookimpl

class Odd(Metric):
    name = "odd"
    description = "odd"
    kind = "similarity"
    value_range = (-1.0, 1.0)
    def compute(self, representation):
        good = representation.correlation.astype(float)
        {body}

@hookimpl
def register_metrics(): return [Odd()]
"""


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("raise ValueError('oh')", "odd.compute raised ValueError: oh"),
        ("return None", "odd returned NoneType None, expected an array of real numbers with shape (40, 40)"),
        ("return good[:5]", "odd returned an array of float64 with shape (5, 40), expected an array of real numbers"),
        ("return good * np.nan", "odd returned values that are not finite, expected finite values for stimuli that"),
        ("return 2 * good", "odd returned a matrix with the value 2.0, expected values from -1.0 to 1.0"),
        ("return np.triu(good)", "odd returned a matrix that is not symmetric, expected a symmetric matrix"),
        ("representation.entries[:] = 0", "is not to be changed: copy it first"),
    ],
)
def test_a_metric_that_fails_is_named_by_compare_and_reorder(site, command_line, body, came):
    site.install("lw_odd", METRIC.format(body=body))
    for call in (
        ("compare", "latest", "--with", "rsa-pearson", "--metric", "odd", "--json"),
        ("reorder", "latest", "--by", "input", "--metric", "odd", "--json"),
    ):
        said = command_line(*call)
        assert said.code == 1
        assert "plugin 'lw_odd' (register_metrics): " in said.err
        assert came in said.err


REORDERER = """
import numpy as np
from layerwise.plugin import Reorderer, hookimpl

class Odd(Reorderer):
    name = "odd"
    description = "odd"
    def order(self, similarity, labels):
        n = len(similarity)
        {body}

@hookimpl
def register_reorderers(): return [Odd()]
"""


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("return [0] * n", "odd returned something that is no permutation, expected each of 0 to 39 exactly once"),
        ("return range(1, n + 1)", "odd returned something that is no permutation"),
        ("return range(n - 1)", "an array of int64 with shape (39,), expected an array of real numbers with shape"),
        ("return np.arange(n) + 0.5", "odd returned something that is no permutation"),
        ("return [[0], [1, 2]]", "odd returned a list, expected an array"),
        ("return None", "odd returned "),
        ("raise ValueError('oh')", "odd.order raised ValueError: oh"),
    ],
)
def test_what_is_no_permutation_is_refused_and_not_kept(site, command_line, body, came):
    site.install("lw_odd", REORDERER.format(body=body))
    said = command_line("reorder", "latest", "--by", "input", "--method", "odd", "--json")
    assert said.code == 1
    assert said.out == ""
    assert "plugin 'lw_odd' (register_reorderers): " in said.err
    assert came in said.err
    assert command_line("query", "SELECT * FROM orderings", "--format", "json").json == []


SECTION = """
from layerwise.plugin import SectionBuilder, hookimpl

class Odd(SectionBuilder):
    name = "odd"
    description = "odd"
    position = 1
    def applies(self, context): return True
    def build(self, context): {body}

@hookimpl
def register_report_sections(): return [Odd()]
"""


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ("raise ValueError('the sky fell')", "ValueError: the sky fell"),
        ("return 'a section'", "expected a ReportSection"),
    ],
)
def test_a_section_that_fails_becomes_a_note_and_the_report_is_written(site, command_line, tmp_path, body, came):
    site.install("lw_odd", SECTION.format(body=body))
    page = tmp_path / "report.html"
    said = command_line("report", "latest", "-o", page, "--section", "odd", "--section", "overview")
    assert said.code == 1
    assert "odd: asked for, and could not be made" in said.err
    text = page.read_text(encoding="utf-8").replace("&#39;", "'")
    assert "plugin 'lw_odd' (register_report_sections)" in text
    assert came in text
    assert len(re.findall("<section", text)) >= 2


MEASURED = """
from layerwise.plugin import RepresentationStatistic, StatisticValue, hookimpl

class Odd(RepresentationStatistic):
    name = "odd"
    description = "odd"
    def compute(self, representation):
        if representation.n_features == 10: raise ValueError('oh')
        return StatisticValue(1.0)

@hookimpl
def register_statistics(): return [Odd()]
"""


def test_a_statistic_that_is_added_to_an_old_run_is_kept_where_it_worked(site, command_line):
    site.install("lw_odd", MEASURED)
    said = command_line("measure", "latest", "--statistic", "odd", "--json")
    assert "plugin 'lw_odd' (register_statistics): odd.compute raised ValueError: oh" in said.err
    rows = command_line("query", "SELECT * FROM statistics WHERE name = 'odd'", "--format", "json").json
    assert len(rows) == 8
    assert said.code == 1


COMMANDS = """
from layerwise.plugin import CommandGroup, hookimpl

class Odd(CommandGroup):
    name = "odd"
    description = "odd"
    def attach(self, app):
        {attach}

@hookimpl
def register_commands(): return [Odd()]
"""


def test_a_plugin_s_command_that_fails_is_one_line_that_names_it(site, command_line):
    failing = "@app.command('odd')\n        def odd(): raise ValueError('oh')"
    site.install("lw_odd", COMMANDS.format(attach=failing))
    said = command_line("odd")
    assert (said.code, said.out) == (1, "")
    came = "plugin 'lw_odd' (register_commands): command 'odd' raised ValueError: oh"
    assert said.err == f"layerwise: error: {came}\n"


def test_commands_that_cannot_be_attached_are_left_out_with_a_warning(site, command_line):
    site.install("lw_odd", COMMANDS.format(attach="raise ValueError('oh')"))
    said = command_line("--help")
    assert said.code == 0
    assert "warning: plugin 'lw_odd' (register_commands): odd.attach raised ValueError: oh" in said.err
    assert "compare" in said.out
