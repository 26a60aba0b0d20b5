"""Figures for papers: what they show, how they are laid out, and the files they become."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

import altair as alt
import numpy as np
import pytest
from PIL import Image

from layerwise.core.base.errors import InputError, LayerwiseError, PluginError
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.hookspecs import hookimpl
from layerwise.core.network.layers import Layer
from layerwise.notebook import charts
from layerwise.plugins import selectors
from layerwise.plugins.sections.stimuli.stimulus_matrices import find_bounds, query_matrices
from layerwise.report import drawing
from layerwise.report.by_name import draw_figure, list_figures
from layerwise.report.content import Chart, Choice, Facts, Figure, ReportContext, ReportSection, SideBySide
from layerwise.report.page import in_order, render_report
from layerwise.report.paper.ask import ask_figure
from layerwise.report.paper.files import encode
from layerwise.report.paper.look import MM, THEMES, Look, find_theme, read_width
from layerwise.report.paper.numbers import read_numbers
from layerwise.report.paper.render import check_font, draw_on_paper
from layerwise.report.paper.restyle import lay_out
from layerwise.report.paper.shape import list_views
from layerwise.report.raster import draw_raster
from layerwise.report.scale import Bounds
from layerwise.report.section import FigureOptions, NamedFigure, SectionBuilder

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '"></text><script>alert(1)</script>&\u202eשלום'


@pytest.fixture
def context(fake) -> ReportContext:
    """One run of 30 stimuli, with two blocks."""
    history = fake.MadeHistory()
    return ReportContext((fake.add_run(history, n_stimuli=30),), history, fake.make_registry())


@pytest.fixture
def training(fake) -> ReportContext:
    """Three checkpoints of one training."""
    history = fake.MadeHistory()
    runs = [fake.add_run(history, f"run{s}", 20, learned=s / 2, lineage="digits", step=s) for s in (0, 1, 2)]
    return ReportContext(in_order(runs), history, fake.make_registry())


def render(figure: Figure, look: Look | None = None) -> ET.Element:
    drawn = draw_on_paper(figure.content.drawing.to_dict(), look or Look(), figure.title)
    return ET.fromstring(encode(drawn, Path("x.svg"), figure.title))


def words(svg: ET.Element) -> list[str]:
    return [text.text or "" for text in svg.iter(f"{SVG}text")]


@pytest.mark.parametrize("runs", ["context", "training"])
def test_every_chart_of_a_report_is_a_call_that_gives_an_altair_chart(runs, request, tmp_path) -> None:
    asked = request.getfixturevalue(runs)
    page = tmp_path / "report.html"
    render_report(asked.runs, asked.registry, asked.history, page)
    n_shown = len(re.findall(r'<script type="application/json" id="[^"]*-spec">', page.read_text(encoding="utf-8")))
    found = charts.names(asked.history, *asked.runs, registry=asked.registry)
    assert len(found) == n_shown > 10
    for name in found:
        chart = charts.draw(asked.history, name, *asked.runs, registry=asked.registry)
        assert isinstance(chart, alt.TopLevelMixin), name
        assert (chart | chart).to_dict(), name  # put beside another, which checks it too


NEED_VARIANTS = {"ablation", "evidence"}  # which tests/plugins/sections/test_ablation.py makes
NAMED = [
    "layer-matrix",
    "profile",
    "steps",
    "pace",
    "matrices",
    "matrix",
    "branch-matrix",
    "branch-depth",
    "importance",
    "sparseness",
    "weights",
]


@pytest.mark.parametrize("name", NAMED)
def test_every_figure_of_one_run_is_drawn_and_is_as_wide_as_asked(context, name) -> None:
    svg = render(draw_figure(name, context))
    assert svg.get("width") == "89mm"
    assert float(svg.get("viewBox").split()[2]) == pytest.approx(89 * MM, abs=1e-3)
    assert words(svg)


def test_every_figure_that_is_listed_is_drawn_of_the_runs_it_needs(context, training) -> None:
    listed = [one.figure for one in list_figures(context.registry).figures]
    assert set(NAMED) <= {figure.name for figure in listed}
    assert len({figure.name for figure in listed}) == len(listed)
    for figure in listed:
        if figure.n_runs == (1, 1) and figure.name not in NEED_VARIANTS:
            assert draw_figure(figure.name, context).content.drawing.to_dict(validate=True), figure.name
    for name in ("checkpoints", "checkpoints-input", "checkpoints-output", "accuracy", "pace"):
        assert words(render(draw_figure(name, training)))


@pytest.fixture
def several(fake) -> ReportContext:
    """Two models on the same stimuli, and the first on others."""
    history = fake.MadeHistory()
    template = fake.make_model()
    wanted = [("one", 1, "s"), ("two", 3, "s"), ("one", 1, "t")]
    runs = [
        fake.add_run(
            history,
            f"run{index}",
            20,
            layers=fake.make_layers(n_hidden=n_hidden, n_blocks=1),
            seed=index,
            model=replace(template, name=name, fingerprint=name),
            stimuli_fingerprint=stimuli * 64,
            stimuli_name=f"set {stimuli}",
        )
        for index, (name, n_hidden, stimuli) in enumerate(wanted)
    ]
    return ReportContext(tuple(runs), history, fake.make_registry())


@pytest.mark.parametrize("name", ["across-models", "counterparts", "profiles-to-input", "profiles-to-output"])
def test_every_figure_across_models_is_drawn_and_names_both(several, name) -> None:
    models = replace(several, runs=several.runs[:2])
    found = " ".join(words(render(draw_figure(name, models))))
    assert "one" in found
    assert "two" in found


def test_the_figure_across_stimulus_sets_carries_the_differences_of_both_matrices(several) -> None:
    sets = replace(several, runs=(several.runs[0], several.runs[2]))
    figure = draw_figure("across-sets", sets)
    names = [layer.name for layer in several.history.list_layers("run0") if layer.is_main]
    assert set(names) <= set(words(render(figure)))
    similarity = {}
    for run in sets.runs:
        where = (LayerAddress(run.id, name) for name in (names[0], names[-1]))
        rows = [several.history.read_representation(address).correlation.astype(float) for address in where]
        above = np.triu_indices(run.n_stimuli, 1)
        similarity[run.id] = np.corrcoef(rows[0][above], rows[1][above])[0, 1]
    frame = read_numbers(figure.content)
    (shown,) = frame.filter((frame["row"] == names[0]) & (frame["column"] == names[-1]))["value"]
    assert shown == pytest.approx(similarity["run2"] - similarity["run0"], abs=1e-6)
    with pytest.raises(InputError, match="one model on two sets"):
        draw_figure("across-sets", replace(several, runs=several.runs[:1]))


def test_a_layer_matrix_on_paper_names_every_layer_and_carries_the_numbers_of_the_history(context) -> None:
    figure = draw_figure("layer-matrix", context)
    found = words(render(figure))
    names = [layer.name for layer in context.history.list_layers(context.runs[0].id) if layer.is_main]
    assert all(found.count(name) == 2 for name in names)
    frame = read_numbers(figure.content)
    row = frame.filter((frame["row"] == names[0]) & (frame["column"] == names[1]))
    first, second = (
        context.history.read_representation(LayerAddress(context.runs[0].id, name)).correlation.astype(float)
        for name in names[:2]
    )
    above = np.triu_indices(len(first), 1)
    assert row["value"].item() == pytest.approx(np.corrcoef(first[above], second[above])[0, 1], abs=1e-6)


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme_colours_background_and_text(context, theme) -> None:
    look = Look(theme=find_theme(theme))
    svg = render(draw_figure("profile", context), look)
    assert svg.find(f"{SVG}rect").get("fill") == look.theme.background
    assert look.theme.ink in {text.get("fill") for text in svg.iter(f"{SVG}text")}


def test_the_printed_theme_has_no_grid_and_no_colour_in_its_text(context) -> None:
    spec = lay_out(draw_figure("profile", context).content.drawing.to_dict(), Look()).spec
    assert spec["config"]["axis"]["grid"] is False
    svg = render(draw_figure("profile", context))
    assert {text.get("fill") for text in svg.iter(f"{SVG}text")} == {"#000000"}


def test_lines_are_told_apart_by_dashes_and_points_by_shapes(context) -> None:
    spec = lay_out(draw_figure("branch-depth", context).content.drawing.to_dict(), Look()).spec
    encodings = [view["encoding"] for view in list_views(spec) if view.get("encoding")]
    dashes = [[c["value"] for c in e["strokeDash"]["condition"]] for e in encodings if "strokeDash" in e]
    shapes = [e["shape"]["scale"]["range"] for e in encodings if "shape" in e]
    assert len({str(dash) for dash in dashes[0]}) == len(dashes[0]) > 1
    assert len(set(shapes[0])) == len(shapes[0]) > 1


def test_lines_without_points_have_their_dashes_in_the_legend() -> None:
    names = ["a", 'b"c', "d'e"]
    values = [{"x": x, "y": x * i, "series": name} for x in (0, 1) for i, name in enumerate(names)]
    base = alt.Chart(alt.InlineData(values=values)).encode(x="x:Q", y="y:Q", color=drawing.series_colour(names))
    for chart, n_dashed in ((base.mark_line(), 4), (base.mark_line() + base.mark_point(), 2)):
        svg = render(Figure("lines", "Lines", Chart(chart.properties(width="container", height=100))))
        drawn = [path.get("stroke-dasharray") for path in svg.iter(f"{SVG}path") if path.get("stroke-dasharray")]
        assert len({dash for dash in drawn if not dash.endswith(",0")}) == 2
        assert len([dash for dash in drawn if not dash.endswith(",0")]) == n_dashed


def test_printed_bars_differ_in_grey(context) -> None:
    spec = lay_out(draw_figure("importance", context).content.drawing.to_dict(), Look()).spec
    colours = next(v["encoding"]["color"]["scale"]["range"] for v in list_views(spec) if "mark" in v)
    greys = [sum(w * int(c[i : i + 2], 16) for w, i in ((0.2126, 1), (0.7152, 3), (0.0722, 5))) for c in colours]
    assert len(greys) > 2
    assert np.abs(np.diff(greys)).min() > 20


def test_nothing_on_paper_answers_a_pointer(context) -> None:
    for name in NAMED:
        spec = lay_out(draw_figure(name, context).content.drawing.to_dict(), Look()).spec
        for view in list_views(spec):
            assert not {"tooltip", "href"} & {*view, *(view.get("encoding") or {})}


def test_laying_out_leaves_the_chart_as_it_was(context) -> None:
    chart = draw_figure("branch-depth", context).content.drawing.to_dict()
    before = repr(chart)
    draw_on_paper(chart, Look())
    assert repr(chart) == before


@pytest.mark.parametrize(("width", "font_size"), [("column", 7), ("page", 8), ("57", 6), ("a4", 10)])
def test_a_png_has_the_pixels_and_a_pdf_the_page_of_the_asked_size(context, width, font_size) -> None:
    look = Look(read_width(width), font_size=font_size)
    drawn = draw_on_paper(draw_figure("steps", context).content.drawing.to_dict(), look)
    png = Image.open(io.BytesIO(encode(drawn, Path("x.png"), dpi=200)))
    assert png.size[0] == round(look.width / 25.4 * 200)
    assert png.info["dpi"][0] == pytest.approx(200, rel=1e-3)
    pdf = encode(drawn, Path("x.pdf"))
    box = [float(side) for side in re.search(rb"/MediaBox \[([\d. ]+)\]", pdf)[1].split()]
    assert pdf.startswith(b"%PDF")
    assert box[2:] == [pytest.approx(drawn.width, abs=0.5), pytest.approx(drawn.height, abs=0.5)]
    assert b"LiberationSans" in pdf  # text is text, in an embedded font


def test_a_narrow_figure_is_no_tower_and_rows_keep_their_room(context) -> None:
    for width in (57, 89, 183):
        spec = lay_out(draw_figure("sparseness", context).content.drawing.to_dict(), Look(width)).spec
        assert spec["height"] <= 0.65 * width * MM
    heights = {
        lay_out(draw_figure("weights", context).content.drawing.to_dict(), Look(width)).spec["height"]
        for width in (57, 183)
    }
    assert len(heights) == 1


def test_nothing_is_drawn_outside_of_the_picture(context) -> None:
    for name in ("layer-matrix", "weights", "matrices"):
        drawn = draw_on_paper(draw_figure(name, context).content.drawing.to_dict(), Look())
        pixels = np.asarray(Image.open(io.BytesIO(encode(drawn, Path("x.png"), dpi=144))).convert("L"))
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (edge == 255).all(), name


@pytest.mark.parametrize("n_layers", [60, 90])
def test_many_layers_get_smaller_labels_or_fewer_that_do_not_overlap(fake, n_layers) -> None:
    history = fake.MadeHistory()
    ends = {0: "input", n_layers - 1: "output"}
    layers = [
        Layer(f"layer{i}", f"layer{i}", "conv", (2, 2, 2), i, ends.get(i, "hidden"), is_main=True)
        for i in range(n_layers)
    ]
    run = fake.add_run(history, n_stimuli=12, layers=layers)
    svg = render(draw_figure("layer-matrix", ReportContext((run,), history, fake.make_registry())))
    sizes = [float(text.get("font-size").removesuffix("px")) for text in svg.iter(f"{SVG}text")]
    assert min(sizes) >= 4.5
    shown = [text for text in svg.iter(f"{SVG}text") if text.get("opacity") != "0"]
    labelled = [text for text in shown if text.text.startswith("layer")]
    assert 20 < len(labelled) < 2 * 89 * MM / 4.5


def test_hostile_layer_names_are_text_in_every_format(fake) -> None:
    history = fake.MadeHistory()
    layers = [
        Layer(f"{HOSTILE}{i}", f"node{i}", "conv", (2, 2, 2), i, role, is_main=True)
        for i, role in enumerate(("input", "hidden", "output"))
    ]
    run = fake.add_run(history, n_stimuli=12, layers=layers)
    context = ReportContext((run,), history, fake.make_registry())
    for name in ("layer-matrix", "matrices", "profile"):
        figure = draw_figure(name, context)
        drawn = draw_on_paper(figure.content.drawing.to_dict(), Look(120, title=True), HOSTILE)
        svg = ET.fromstring(encode(drawn, Path("x.svg"), HOSTILE))
        assert not [element.tag for element in svg.iter() if "script" in element.tag]
        assert svg.find(f"{SVG}title").text == HOSTILE
        shown = "".join(words(svg))
        assert "<script>" in shown or "</text>" in shown
        assert encode(drawn, Path("x.pdf")).startswith(b"%PDF")


def test_a_matrix_is_shown_in_the_order_of_the_layer_that_is_asked_for(context) -> None:
    run = context.runs[0]
    layers = [layer for layer in context.history.list_layers(run.id) if layer.is_main][:2]
    found = query_matrices(context, run, layers, FigureOptions(by="output"))
    (order,) = context.history.read_orderings(run.id)
    assert order.address.layer == "output"
    stored = context.history.read_representation(LayerAddress(run.id, layers[1].name)).correlation
    np.testing.assert_array_equal(found.matrices[1], stored[np.ix_(order.permutation, order.permutation)])
    stimuli = context.history.list_stimuli(run.id)
    assert found.names == tuple(stimuli[position].name for position in order.permutation)


def test_the_picture_of_a_matrix_has_the_colours_of_its_values_and_grey_where_there_is_none() -> None:
    matrix = np.array([[1.0, -0.4, np.nan], [-0.4, 1.0, 0.0], [np.nan, 0.0, 1.0]])
    image = Image.open(io.BytesIO(draw_raster(matrix, Bounds(-0.4, 0.4, diverging=True), 30))).convert("RGB")
    colours = drawing.diverging_colours(255)
    assert image.size == (30, 30)
    assert image.getpixel((15, 5)) == colours[0]
    assert image.getpixel((5, 5)) == colours[-1]
    assert image.getpixel((25, 15)) == colours[127]
    assert image.getpixel((25, 5)) == drawing.UNDEFINED


def test_a_large_matrix_is_averaged_and_not_sampled() -> None:
    matrix = np.kron(np.array([[0.4, -0.4], [-0.4, 0.4]]), np.ones((1001, 1001)))
    matrix[::2] *= -1  # every second row the opposite: the mean of each square is 0
    image = Image.open(io.BytesIO(draw_raster(matrix, Bounds(-0.4, 0.4, diverging=True)))).convert("RGB")
    assert image.size[0] <= 1000
    greys = np.asarray(image).astype(int)
    assert np.ptp(greys, axis=2).max() < 130  # nowhere the full colour of either end


def test_a_colour_scale_is_centred_on_zero_and_says_what_lies_beyond_it(context) -> None:
    run = context.runs[0]
    layers = [layer for layer in context.history.list_layers(run.id) if layer.is_main]
    found = query_matrices(context, run, layers, FigureOptions())
    assert found.bounds.diverging
    assert found.bounds.low == -found.bounds.high
    values = np.concatenate([m[np.triu_indices(len(m), 1)] for m in found.matrices])
    assert np.mean(np.abs(values) > found.bounds.high * 1.05) <= 0.005
    shown = " ".join(words(render(draw_figure("matrices", context))))
    assert ("≥" in shown) == ("high" in found.open_ends)
    assert find_bounds([np.eye(4)]).high == 0.2  # nothing alike does not look like something


def test_a_distance_gets_a_scale_from_end_to_end(context) -> None:
    chosen = ReportContext(context.runs, context.history, context.registry, Choice(metric="euclidean"))
    figure = draw_figure("matrix", chosen)
    assert "distance" in " ".join(words(render(figure)))
    frame = read_numbers(figure.content)
    assert frame["value"].min() >= 0
    assert frame.columns == ["layer", "first", "second", "value"]


def test_layers_that_are_chosen_take_the_place_of_the_main_ones(context) -> None:
    context.registry.register(selectors, "selectors", "layerwise", "0.1.0")
    asked = FigureOptions(layers=("mixed3a", "branches"))
    run = context.runs[0]
    figure = ask_figure("layer-matrix", [run], context.registry, context.history, options=asked)
    shown = set(read_numbers(figure.content)["row"])
    assert shown == {"mixed3a"} | {layer.name for layer in context.history.list_layers(run.id) if layer.branch}
    with pytest.raises(InputError, match="shows one layer"):
        ask_figure("matrix", [run], context.registry, context.history, options=asked)
    with pytest.raises(InputError, match="no layers"):
        ask_figure("weights", [run], context.registry, context.history, options=asked)


def test_a_figure_that_is_not_there_is_refused_with_near_names(context, training) -> None:
    with pytest.raises(InputError, match="did you mean layer-matrix"):
        draw_figure("layer-matirx", context)
    with pytest.raises(InputError, match="transition/profile, transition/steps, transition/pace"):
        draw_figure("transition", context)
    with pytest.raises(InputError, match="branches/nothing"):
        draw_figure("branches/nothing", context)
    with pytest.raises(InputError, match="3 given"):
        draw_figure("profile", training)
    with pytest.raises(InputError, match="1 given"):
        draw_figure("checkpoints", context)
    with pytest.raises(InputError, match="order"):
        draw_figure("profile", context, FigureOptions(by="input"))
    with pytest.raises(InputError, match="columns"):
        draw_figure("profile", context, FigureOptions(columns=2))


def test_every_chart_of_a_section_is_a_figure_too(context) -> None:
    run = context.runs[0]
    for name in ("branches/depth", f"branches/depth-{run.id}", "layerwise:branches/depth", "sparseness/sparseness"):
        assert words(render(draw_figure(name, context)))


class Stranger(SectionBuilder):
    """A plugin's section with a chart, and nothing done for figures."""

    name = "strange"
    description = "a chart of a plugin"
    position: ClassVar[int] = 70

    def applies(self, context: ReportContext) -> bool:
        return True

    def build(self, context: ReportContext) -> ReportSection:
        values = [{"layer": layer.name, "value": 1.0} for layer in context.history.list_layers(context.runs[0].id)]
        chart = alt.Chart(alt.InlineData(values=values)).mark_bar().encode(x="layer:N", y="value:Q")
        inner = Figure("inner", "Inside", Chart(chart.properties(width="container", height=200)))
        return ReportSection("Strange", (Figure("pair", "A pair", SideBySide((inner,))),))


class Broken(Stranger):
    """A section that says something else than what figures it has."""

    name = "broken"

    def figures(self) -> Sequence[NamedFigure]:
        return ("layer-matrix",)  # type: ignore[return-value]


class Empty(Stranger):
    """A section whose figure is no chart."""

    name = "empty"

    def figures(self) -> Sequence[NamedFigure]:
        return (NamedFigure("hollow", "nothing", "one run", lambda c, o: Figure("hollow", "Hollow", Facts(()))),)


class Plugin:
    """Offers some sections."""

    def __init__(self, *sections: SectionBuilder) -> None:
        self.sections = sections

    @hookimpl
    def register_report_sections(self) -> Sequence[SectionBuilder]:
        return self.sections


def test_a_plugins_chart_is_drawn_on_paper_without_its_doing_anything(context) -> None:
    context.registry.register(Plugin(Stranger()), "stranger", "strange-dist", "1.0")
    svg = render(draw_figure("strange", context))
    assert svg.get("width") == "89mm"
    assert "input" in words(svg)
    assert words(render(draw_figure("strange-dist:strange/inner", context)))


def test_a_plugin_that_fails_at_figures_is_named_and_stops_no_other(context) -> None:
    context.registry.register(Plugin(Broken(), Empty()), "breaker", "broken-dist", "1.0")
    listed = list_figures(context.registry)
    assert "layer-matrix" in {one.figure.name for one in listed.figures}
    assert any("breaker" in problem for problem in listed.problems)
    assert words(render(draw_figure("layer-matrix", context)))
    with pytest.raises(PluginError, match=r"breaker.*Facts"):
        draw_figure("hollow", context)


def test_fonts_and_widths_are_checked_before_anything_is_drawn() -> None:
    check_font("Liberation Sans")
    for font in ("No Such Font", 'a"onload="', ""):
        with pytest.raises(InputError):
            check_font(font)
    assert read_width("3.5in") == pytest.approx(88.9)
    assert read_width("page") == 183
    for width in ("5", "9999", "wide", "", "-3", "nan"):
        with pytest.raises(InputError):
            read_width(width)


def test_a_figure_too_narrow_for_its_labels_says_so(fake) -> None:
    history = fake.MadeHistory()
    layers = [
        Layer("a" * 80 + str(i), f"n{i}", "conv", (2, 2, 2), i, role, is_main=True)
        for i, role in enumerate(("input", "hidden", "output"))
    ]
    run = fake.add_run(history, n_stimuli=8, layers=layers)
    figure = draw_figure("layer-matrix", ReportContext((run,), history, fake.make_registry()))
    svg = render(figure, Look(40))  # labels are cut with an ellipsis rather than pushed out of the picture
    assert any(text.endswith("…") for text in words(svg))
    chart = alt.Chart(alt.InlineData(values=[{"a": 1}])).mark_text(text="w" * 400).encode(x="a:Q")
    with pytest.raises(LayerwiseError, match="mm"):
        draw_on_paper(chart.properties(width=100).to_dict(), Look(40))


def test_many_panels_fit_side_by_side_whatever_their_layers_are_called(context) -> None:
    context.registry.register(selectors, "selectors", "layerwise", "0.1.0")
    asked = FigureOptions(columns=8, layers=("all",))
    figure = ask_figure("matrices", context.runs, context.registry, context.history, options=asked)
    assert render(figure, Look(60)).get("width") == "60mm"


def test_an_svg_of_matrices_holds_one_picture_for_each_layer(context) -> None:
    svg = render(draw_figure("matrices", context))
    pictures = [image.get("{http://www.w3.org/1999/xlink}href") for image in svg.iter(f"{SVG}image")]
    main = [layer for layer in context.history.list_layers(context.runs[0].id) if layer.is_main]
    assert len(pictures) == len(main)
    for address in pictures:
        assert Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).size[0] >= 30
