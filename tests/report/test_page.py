"""The page: complete in itself, deaf to strangers' text, whole or not there at all."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from layerwise.core.base.errors import InputError, LayerwiseError
from layerwise.core.history.records import LayerAddress
from layerwise.core.host.hookspecs import hookimpl
from layerwise.report.content import Chart, Figure, Listing, ReportSection
from layerwise.report.markup import embed_json, render_content
from layerwise.report.page import render_report, title_of
from layerwise.report.section import SectionBuilder

BAD_PHOTO = '"><script>alert(1)</script>.jpg'
BAD_LABELS = ('a "quoted"\nname', "<b>bold</b>", "\u202eشعر", "it's", "e", "f")


class Page(HTMLParser):
    """What a browser would make of a page: its elements, its scripts, its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.contents: dict[int, str] = {}
        self.text: list[str] = []
        self.raw = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

        self.raw = tag in ("script", "style")

    def handle_endtag(self, tag):
        self.raw = False

    def handle_data(self, data):
        here = len(self.elements) - 1
        if self.raw:
            self.contents[here] = self.contents.get(here, "") + data
        else:
            self.text.append(data)

    def scripts(self) -> list[str]:
        return [self.contents[i] for i, (tag, a) in enumerate(self.elements) if tag == "script" and "type" not in a]

    def data(self) -> dict[str, dict]:
        return {
            attrs["id"]: json.loads(self.contents[i])
            for i, (tag, attrs) in enumerate(self.elements)
            if tag == "script" and attrs.get("type") == "application/json"
        }


def write(fake, tmp_path, history, runs, registry=None, **options) -> tuple[str, Page]:
    path = render_report(runs, registry or fake.make_registry(), history, tmp_path / "r.html", **options)
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def plain(fake, tmp_path_factory):
    """A history with one run, and its page."""
    history = fake.MadeHistory()
    run = fake.add_run(history)
    text, page = write(fake, tmp_path_factory.mktemp("plain"), history, [run])
    return history, run, text, page


@pytest.fixture(scope="module")
def hostile(fake, tmp_path_factory):
    """The page of a run in which every name means harm."""
    history = fake.MadeHistory()
    layers = fake.make_layers()
    layers[1] = replace(layers[1], name="</script>")
    names = [BAD_PHOTO, *(f"p{i}\u2028<img src=x onerror=alert(2)>" for i in range(59))]
    command = "layerwise run '</script><script>alert(3)</script>'"
    run = fake.add_run(history, layers=layers, names=names, class_names=BAD_LABELS, command=command)
    return write(fake, tmp_path_factory.mktemp("hostile"), history, [run])


def test_a_page_loads_nothing_from_anywhere(plain) -> None:
    *_, page = plain
    for tag, attrs in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "srcset", "href", "action", "data"):
            assert attrs.get(name, "#").startswith(("#", "data:image/")), (tag, attrs)
    style = next(page.contents[i] for i, (tag, _) in enumerate(page.elements) if tag == "style")
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_allows_exactly_the_scripts_of_the_page(plain) -> None:
    *_, page = plain
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    digests = {base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in page.scripts()}
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == digests
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy


def test_libraries_are_in_the_page_once(plain) -> None:
    *_, text, page = plain
    assert len(page.scripts()) == 2
    assert len(text) < 2_500_000


def test_every_chart_is_one_that_vega_can_draw(plain) -> None:
    import vl_convert

    *_, page = plain
    specs = {name: spec for name, spec in page.data().items() if name.endswith("-spec")}
    assert len(specs) >= 13
    for name, spec in specs.items():
        assert "$schema" not in spec
        assert "url" not in json.dumps(spec)
        if spec.get("width") == "container":
            spec["width"] = 600
        assert vl_convert.vegalite_to_svg(spec).startswith("<svg"), name


def test_the_layer_matrix_of_a_page_agrees_with_the_history(plain) -> None:
    history, run, _, page = plain
    spec = next(spec for name, spec in page.data().items() if f"layers-{run.id}" in name)
    cells = spec["datasets"][spec["data"]["name"]]
    triangle = np.triu_indices(run.n_stimuli, 1)
    for cell in cells:
        first, second = (
            history.read_representation(LayerAddress(run.id, cell[side])).correlation[triangle].astype(float)
            for side in ("row", "column")
        )
        assert cell["value"] == pytest.approx(np.corrcoef(first, second)[0, 1], abs=1e-6)
    assert len(cells) == 8 * 8


def test_the_matrices_of_a_page_agree_with_the_history_and_are_there_once(plain) -> None:
    history, run, text, page = plain
    data = page.data()[f"atlas-{run.id}"]
    assert [matrix["name"] for matrix in data["matrices"]][:2] == ["input", "conv0"]
    assert len(data["matrices"]) == len(history.list_layers(run.id))
    for matrix in data["matrices"]:
        codes = np.frombuffer(zlib.decompress(base64.b64decode(matrix["codes"])), np.uint8)
        stored = history.read_representation(LayerAddress(run.id, matrix["name"])).correlation
        expected = stored[np.triu_indices(run.n_stimuli, 1)]
        shown = (codes.astype(float) + matrix["offset"]) * matrix["step"]
        assert np.abs(shown - expected).max() <= matrix["step"] * 0.5001
        assert text.count(matrix["codes"]) == 1
    names = [order["name"] for order in data["orders"]]
    assert names[:4] == ["input", "output", "label", "order of the set"]
    for order in data["orders"]:
        assert sorted(order["permutation"]) == list(range(run.n_stimuli))
    assert len(page.data()[data["pictures"]]) == len(data["names"]) == run.n_stimuli


def test_hostile_names_add_no_elements_to_the_page(plain, hostile) -> None:
    *_, clean = plain
    _, page = hostile
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in clean.elements]
    assert page.scripts() == clean.scripts()
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)


def test_hostile_names_are_shown_as_text(hostile) -> None:
    _, page = hostile
    text = "".join(page.text)
    for name in (BAD_PHOTO, "</script>", *BAD_LABELS, "<script>alert(3)</script>"):
        assert name in text
    embedded = json.dumps(page.data(), ensure_ascii=False)
    assert json.dumps(BAD_PHOTO) in embedded
    assert '"</script>"' in embedded


def test_data_cannot_end_its_element() -> None:
    awkward = {"a": "</script><!--", "b": "\u2028\u2029 & \udcff"}
    text = embed_json(awkward)
    assert not set("<>&\u2028\u2029") & set(text)
    assert text.isascii()
    assert json.loads(text) == awkward


def test_data_with_a_number_that_json_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        embed_json({"a": float("nan")})


class Broken(SectionBuilder):
    """A section that fails."""

    name = "broken"
    description = "fails"
    position = 1

    def applies(self, context):
        return True

    def build(self, context):
        raise KeyError("<oops>")


class Wrong(Broken):
    name = "wrong"

    def build(self, context):
        return "no section"


class Unshowable(Broken):
    name = "unshowable"

    def build(self, context):
        return ReportSection("Unshowable", (Figure("f", "F", Chart("no chart")),))


class Welcome(Broken):
    name = "welcome"

    def build(self, context):
        return ReportSection("<i>Welcome</i>", (Figure("hello", "Hello", Listing("a < b")),))


class Strangers:
    """A plugin with one good section and three that fail."""

    @staticmethod
    @hookimpl
    def register_report_sections():
        return [Broken(), Wrong(), Unshowable(), Welcome()]


def test_a_section_that_fails_is_noted_and_stops_no_other(fake, tmp_path) -> None:
    history, registry = fake.MadeHistory(), fake.make_registry()
    registry.register(Strangers(), "strangers", "layerwise-strangers", "1.0")
    run = fake.add_run(history, n_stimuli=12)
    _, page = write(fake, tmp_path, history, [run], registry)
    text = " ".join("".join(page.text).split())
    assert text.count("This section could not be made") == 3
    assert "plugin 'strangers' (register_report_sections): broken.build raised KeyError: '<oops>'" in text
    assert "build returned a str, expected a ReportSection" in text
    assert "<i>Welcome</i>" in text
    assert "How to reproduce" in text


def test_sections_can_be_chosen(fake, tmp_path) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=12)
    _, page = write(fake, tmp_path, history, [run], sections=["provenance", "layerwise:overview"], title="My <title>")
    anchors = [attrs["id"] for tag, attrs in page.elements if tag == "section"]
    assert anchors == ["section-layerwise-overview", "section-layerwise-provenance"]
    assert "My <title>" in page.text


def test_an_unknown_section_is_an_error_with_a_suggestion(fake, tmp_path) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=12)
    with pytest.raises(InputError, match="did you mean overview"):
        write(fake, tmp_path, history, [run], sections=["overviw"])


def test_a_file_that_cannot_be_written_is_one_clear_line(fake, tmp_path) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=12)
    for path, why in ((tmp_path, "a folder has that name"), (tmp_path / "none" / "r.html", "there is no folder")):
        with pytest.raises(InputError, match=why) as caught:
            render_report([run], fake.make_registry(), history, path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="at least one run"):
        render_report([], fake.make_registry(), history, tmp_path / "r.html")


def test_a_report_that_fails_leaves_the_old_one_as_it_was(fake, tmp_path, monkeypatch) -> None:
    history = fake.MadeHistory()
    run = fake.add_run(history, n_stimuli=12)
    path = tmp_path / "r.html"
    path.write_text("old")

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("layerwise.core.base.writing.os.fsync", full)
    with pytest.raises(LayerwiseError, match="No space left on device"):
        render_report([run], fake.make_registry(), history, path, sections=["provenance"])
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["r.html"]


def test_content_that_the_page_does_not_know_names_the_figure() -> None:
    with pytest.raises(TypeError, match="figure f holds a int"):
        render_content(3, "a", Figure("f", "F", 3))  # type: ignore[arg-type]


def test_every_figure_has_a_caption_or_a_table_and_every_image_a_text(plain) -> None:
    *_, page = plain
    tags = [tag for tag, _ in page.elements]
    assert tags.count("figcaption") >= tags.count("figure") - 1
    assert all(attrs.get("alt") is not None for tag, attrs in page.elements if tag == "img")
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"][1:] for tag, attrs in page.elements if tag == "a"]
    assert set(links) <= set(ids)


def test_a_page_is_called_after_what_its_runs_are(fake) -> None:
    history = fake.MadeHistory()
    one = fake.add_run(history)
    named = lambda name: replace(one, model=replace(one.model, name=name))  # noqa: E731
    other_set = replace(one, stimuli_name="faces")
    steps = [replace(named(f"epoch-{step}"), lineage="digits", step=step) for step in range(3)]
    model, stimuli = one.model.name, one.stimuli_name
    assert title_of([one]) == f"{model} on {stimuli}"
    assert title_of([named("a"), named("b")]) == f"a and b on {stimuli}"
    assert title_of([one, other_set]) == f"{model} on {stimuli} and faces"
    assert title_of(steps) == f"digits on {stimuli}"
    assert title_of(steps[:1]) == f"epoch-0 on {stimuli}"
    assert title_of([named(name) for name in "abcde"]) == f"a and 4 others on {stimuli}"


def test_a_chart_that_vega_cannot_draw_is_its_plugin_s_failure_and_no_other_s(fake, tmp_path) -> None:
    import altair as alt
    from altair.utils import schemapi

    class Crooked(SectionBuilder):
        name, description, position = "crooked", "a bar of a colour that there is not", 5

        def applies(self, context) -> bool:
            return True

        def build(self, context) -> ReportSection:
            rows = alt.InlineData(values=[{"a": 1}])
            chart = alt.Chart(rows).mark_bar(strokeCap="pointed").encode(x="a:Q")
            return ReportSection("Crooked", (Figure("one", "One", Chart(chart)),))

    class Stranger:
        @hookimpl
        def register_report_sections(self):
            return [Crooked()]

    history, registry = fake.MadeHistory(), fake.make_registry()
    registry.register(Stranger(), "stranger", "crooked-plugin", "1.0")
    _, page = write(fake, tmp_path, history, [fake.add_run(history)], registry)
    told = " ".join(page.text)
    assert "This section could not be made" in told
    assert "'stranger'" in told
    assert "pointed" in told, told[told.index("This section could") :][:600]
    assert "In short" in told
    assert schemapi.DEBUG_MODE


def test_a_table_of_a_hundred_runs_does_not_push_everything_else_away(fake, tmp_path) -> None:
    history, registry = fake.MadeHistory(), fake.make_registry()
    runs = [fake.add_run(history, f"run{index}", 5, lineage="x", step=index, pictures=False) for index in range(41)]
    for count, long in ((40, False), (41, True)):
        page = render_report(runs[:count], registry, history, tmp_path / "r.html", sections=("overview",)).read_text(
            "utf-8"
        )
        assert ('<div class="scroll table long"' in page) == long
