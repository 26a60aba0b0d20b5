"""`layerwise figure`: files of the size that was asked for, and one line for every mistake."""

from __future__ import annotations

import csv
import inspect
import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import altair as alt
import pytest
from PIL import Image

import layerwise as lw

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def history(demo):
    with lw.open_history(demo.database) as store:
        yield store


def main_names(history) -> list[str]:
    return [layer.name for layer in history.list_layers(history.find_run("latest").id) if layer.is_main]


def test_one_call_writes_svg_png_pdf_and_the_numbers(ask, history, tmp_path) -> None:
    said = ask(
        "figure", "layer-matrix", "latest", "-o", "a.svg", "-o", "a.png", "-o", "a.pdf", "--data", "a.csv",
        "--dpi", 144, "--width", "page", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert said.json["width_mm"] == 183
    assert [Path(file["path"]).name for file in said.json["files"]] == ["a.svg", "a.png", "a.pdf", "a.csv"]
    svg = ET.parse("a.svg").getroot()
    names = {text.text for text in svg.iter(f"{SVG}text")}
    assert set(main_names(history)) <= names
    assert (svg.get("width"), svg.get("height")) == ("183mm", f"{said.json['height_mm']:g}mm") or svg.get("width")
    assert Image.open("a.png").size[0] == round(183 / 25.4 * 144)
    pdf = Path("a.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    box = [float(side) for side in re.search(rb"/MediaBox \[([\d. ]+)\]", pdf)[1].split()]
    assert box[2] == pytest.approx(183 * 72 / 25.4, abs=0.5)


def test_the_numbers_of_a_figure_are_those_of_compare(ask, history) -> None:
    assert ask("figure", "layer-matrix", "latest", "--data", "a.csv").code == 0
    cells = {
        (row["row"], row["column"]): float(row["value"])
        for row in csv.DictReader(io.StringIO(Path("a.csv").read_text(encoding="utf-8")))
    }
    compared = ask("compare", "latest", "--layers", "main", "--json").json
    names = [layer["layer"] for layer in compared["layers"]]
    for row, values in zip(names, compared["matrix"], strict=True):
        for column, value in zip(names, values, strict=True):
            assert cells[row, column] == pytest.approx(value, abs=1e-12)


def test_another_comparator_and_other_layers_are_drawn_as_asked(ask) -> None:
    said = ask("figure", "layer-matrix", "latest", "--with", "cka", "--layers", "branches", "-o", "c.svg")
    assert said.code == 0, said.err
    assert "cka" in said.out
    names = [text.text for text in ET.parse("c.svg").getroot().iter(f"{SVG}text")]
    assert any("/" in (name or "") for name in names)


def test_figures_are_listed_with_what_they_show_and_need(ask) -> None:
    said = ask("figure", "--list")
    assert said.code == 0
    for name in ("layer-matrix", "branch-matrix", "profile", "steps", "matrices", "matrix", "sparseness", "weights"):
        assert re.search(rf"^{name}\s", said.out, re.M)
    listed = ask("figure", "--list", "--json").json
    assert {"name", "description", "needs", "section"} <= set(listed["figures"][0])
    assert listed["problems"] == []


def test_the_docs_know_every_figure_and_no_other(ask) -> None:
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text(encoding="utf-8")
    table = page.partition("## What there is")[2].partition("Every other chart")[0]
    documented = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`([\w-]+)`", row)
    }
    listed = {figure["name"] for figure in ask("figure", "--list", "--json").json["figures"]}
    assert documented == listed
    for picture in re.findall(r"\((pictures/[\w.-]+)\)", page):
        assert (Path(__file__).parents[2] / "docs" / picture).is_file(), picture


def test_every_figure_of_one_run_that_is_listed_can_be_drawn(ask) -> None:
    for figure in ask("figure", "--list", "--json").json["figures"]:
        if figure["needs"].startswith("one run"):
            said = ask("figure", figure["name"], "latest", "-o", "x.svg", "--theme", "dark")
            assert said.code == 0 or "nothing to show" in said.err, said.err


def test_checkpoints_are_drawn_from_several_runs(ask, demo) -> None:
    runs = [run["run_id"] for run in ask("runs", "--json").json]
    said = ask("figure", "checkpoints", *runs, "-o", "x.pdf", "--title", "--theme", "light", "--font-size", 8)
    assert said.code == 0, said.err
    assert Path("x.pdf").read_bytes().startswith(b"%PDF")


def test_a_file_that_is_there_is_replaced_only_by_a_whole_one(ask) -> None:
    Path("x.svg").write_text("before")
    assert ask("figure", "layer-matrix", "latest", "-o", "x.svg", "--with", "nonsense").code == 2
    assert Path("x.svg").read_text() == "before"
    assert ask("figure", "layer-matrix", "latest", "-o", "x.svg").code == 0
    assert Path("x.svg").read_text().startswith("<svg")
    assert sorted(path.name for path in Path().iterdir()) == ["x.svg"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "which figure"),
        (["layer-matrix"], "latest"),
        (["layer-matrix", "latest"], "where to"),
        (["layer-matirx", "latest", "-o", "x.svg"], "did you mean layer-matrix"),
        (["layer-matrix", "latest", "-o", "x.gif"], ".svg"),
        (["layer-matrix", "latest", "-o", "x.sgv"], "there are: .svg, .png, .pdf"),
        (["layer-matrix", "latest", "-o", "x"], "no suffix"),
        (["layer-matrix", "latest", "-o", "no/such/x.svg"], "no folder"),
        (["layer-matrix", "latest", "--data", "x.xlsx"], ".csv"),
        (["layer-matrix", "nope", "-o", "x.svg"], "nope"),
        (["layer-matrix", "latest", "-o", "x.svg", "--width", "3"], "3 mm"),
        (["layer-matrix", "latest", "-o", "x.svg", "--width", "colum"], "column"),
        (["layer-matrix", "latest", "-o", "x.svg", "--theme", "sepia"], "print, light, dark"),
        (["layer-matrix", "latest", "-o", "x.svg", "--font", "No Such Font"], "No Such Font"),
        (["layer-matrix", "latest", "-o", "x.svg", "--font-size", "99"], "--font-size"),
        (["layer-matrix", "latest", "-o", "x.svg", "--dpi", "0"], "--dpi"),
        (["layer-matrix", "latest", "-o", "x.svg", "--layers", "nonsense*"], "nonsense"),
        (["layer-matrix", "latest", "-o", "x.svg", "--with", "ckaa"], "cka"),
        (["layer-matrix", "latest", "-o", "x.svg", "--transform", "rank"], "rank"),
        (["layer-matrix", "latest", "-o", "x.svg", "--by", "input"], "order"),
        (["matrices", "latest", "-o", "x.svg", "--by", "nope"], "nope"),
        (["matrices", "latest", "-o", "x.svg", "--metric", "nope"], "nope"),
        (["across-models", "latest", "latest", "-o", "x.svg"], "1 given"),
        (["checkpoints", "latest", "-o", "x.svg"], "1 given"),
        (["transition", "latest", "-o", "x.svg"], "transition/profile"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(ask, arguments, words) -> None:
    said = ask("figure", *arguments)
    assert said.code == 2, said.err
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_a_notebook_gets_every_chart_from_one_call(history) -> None:
    charts = lw.charts
    runs = [run.id for run in history.list_runs()]
    drawn = {
        "layer_matrix": charts.layer_matrix(history),
        "profile": charts.profile(history, "latest"),
        "steps": charts.steps(history, history.find_run("latest")),
        "pace": charts.pace(history, *runs),
        "branch_matrix": charts.branch_matrix(history),
        "branch_depth": charts.branch_depth(history),
        "importance": charts.importance(history),
        "matrix": charts.matrix(history, layer="output", by="output"),
        "matrices": charts.matrices(history, columns=4),
        "sparseness": charts.sparseness(history),
        "weights": charts.weights(history),
        "dimension": charts.dimension(history),
        "layer_map": charts.layer_map(history),
        "checkpoints": charts.checkpoints(history, *runs, to="input"),
        "accuracy": charts.accuracy(history, *runs),
        "settling": charts.settling(history, "lineage:digits"),
    }
    for name, chart in drawn.items():
        assert isinstance(chart, alt.TopLevelMixin), name
        assert chart.to_dict(validate=True), name
    of_others = {"ablation", "evidence", "time_alignment", "across_models", "across_sets", "counterparts"}
    of_others |= {"profiles", "recordings"}
    assert set(drawn) | of_others | {"Asked", "draw", "names", "numbers", "save"} == set(charts.__all__)


def test_every_named_figure_has_a_call_of_its_own(ask, monkeypatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(lw.charts, "draw", lambda _history, name, *_runs, **_options: called.append(name))
    for word in set(lw.charts.__all__) - {"Asked", "draw", "names", "numbers", "save"}:
        choices = {"checkpoints": ("to", "final input output layers dimension"), "profiles": ("to", "input output")}
        choices["recordings"] = ("show", "along matrix networks ceiling")
        option, values = choices.get(word, ("", "-"))
        call = getattr(lw.charts, word)
        wanted = [name for name, given in inspect.signature(call).parameters.items() if given.default is given.empty]
        for value in values.split():
            call(None, *["run"] * (len(wanted) - 2 or 1), **({option: value} if option else {}))
    listed = {figure["name"] for figure in ask("figure", "--list", "--json").json["figures"]}
    assert set(called) == listed


def test_numbers_of_a_chart_are_those_of_the_history(history) -> None:
    frame = lw.charts.numbers(history, "profile", "latest")
    *names, output = main_names(history)
    assert (names[-1], output) == ("logits", "output")
    found = {(row["layer"], row["series"]): row["value"] for row in frame.to_dicts()}
    assert set(found) == {(name, series) for name in names for series in ("to the input", "to the logits")}
    matrix = lw.charts.numbers(history, "layer-matrix")
    cells = {(row["row"], row["column"]): row["value"] for row in matrix.to_dicts()}
    for name in names:
        assert found[name, "to the input"] == pytest.approx(cells[name, names[0]], abs=1e-12)
        assert found[name, "to the logits"] == pytest.approx(cells[name, "logits"], abs=1e-12)


@pytest.mark.parametrize("name", ["layer-matrix", "matrices"])
def test_a_chart_saved_from_a_notebook_is_laid_out_as_the_figure_is(ask, history, tmp_path, name) -> None:
    assert ask("figure", name, "latest", "-o", tmp_path / "figure.svg").code == 0
    saved = lw.charts.save(lw.charts.draw(history, name), tmp_path / "chart.svg")
    sizes = [ET.parse(path).getroot().get("viewBox") for path in (tmp_path / "figure.svg", saved)]
    assert sizes[0] == sizes[1]


def test_any_chart_can_be_saved_for_a_paper(history, tmp_path) -> None:
    chart = alt.Chart(alt.InlineData(values=[{"a": 1, "b": 2}])).mark_bar().encode(x="a:O", y="b:Q")
    path = lw.charts.save(chart, tmp_path / "mine.png", width=50, dpi=100, title="Mine")
    assert Image.open(path).size[0] == round(50 / 25.4 * 100)
    with pytest.raises(lw.InputError, match=r"\.svg"):
        lw.charts.save(chart, tmp_path / "mine.doc")
