"""Each check finds what it is there to find: an offer that breaks one promise, and the words that say which."""

from __future__ import annotations

import dataclasses
import logging
import sqlite3

import numpy as np
import pytest

import layerwise.plugin as lw
from layerwise import testing
from layerwise.plugin import open_history
from layerwise.plugins import reorderers, selectors, transforms
from layerwise.plugins.engines import LocalEngine
from layerwise.plugins.sources.array import ArraySource, ArrayStimulusSet


def broken(kind, **changes):
    """A subclass of a sound offer, with something replaced."""
    return type("Broken", (kind,), {"name": "broken", "description": "breaks a promise", **changes})()


class Mean(lw.Transform):
    name = "sound"
    description = "mean over positions"
    additive = True

    def apply(self, activations):
        axes = tuple(range(1, activations.ndim - 1))
        return activations.mean(axis=axes) if axes else activations


def spoil(activations):
    activations[:] = 0
    return activations


TRANSFORMS = [
    ({"additive": None}, r"declares additive = None, expected True or False"),
    ({"apply": lambda self, x: x.astype(np.float64)}, r"gives float64 .*, expected float32"),
    ({"apply": lambda self, x: x[:1].copy()}, r"gives shape \(1, 4, 4, 6\) .*, expected \(5, features\)"),
    ({"apply": lambda self, x: x - x.mean(axis=0)}, r"other values when others are in its batch"),
    ({"apply": lambda self, x: spoil(x)}, r"changes the activations it is given"),
    ({"apply": lambda self, x: x / x.std(axis=-1, keepdims=True)}, r"not finite"),
    ({"apply": lambda self, x: x.reshape(len(x), -1)[:, : 1 + int(x[0].any())]}, r"gives 1 features for zeros"),
    (
        {"apply": lambda self, x: np.sort(x.reshape(len(x), -1))[:, -1:].copy()},
        r"is declared additive, but a block's",
    ),
    ({"apply": lambda self, x: 1 / 0}, r"raises ZeroDivisionError"),
    ({"apply": lambda self, x: x + np.random.default_rng().normal(size=x.shape).astype("f4")}, r"asked twice"),
]


class Centred(lw.UnitTransform):
    name = "centred"
    description = "units without their mean"

    def apply_units(self, units):
        return units - units.mean(axis=0)


UNIT_TRANSFORMS = [
    ({"apply": lambda self, x: x - x.mean(axis=0)}, r"other values when others are in its batch"),
    ({"apply_units": lambda self, x: x - x.mean()}, r"gives a unit other values when others are with it"),
    ({"apply_units": lambda self, x: x[:1].copy()}, r"gives shape \(1, 9\) .*, expected \(6, 9\)"),
    ({"apply_units": lambda self, x: x.astype(np.float64)}, r"gives float64 .*, expected float32"),
    ({"apply_units": lambda self, x: spoil(x)}, r"changes the units it is given"),
    ({"apply_units": lambda self, x: x / x.std(axis=0)}, r"not finite for several units, of which two are constant"),
    ({"apply_units": lambda self, x: 1 / 0}, r"raises ZeroDivisionError"),
]


@pytest.mark.parametrize(("changes", "message"), UNIT_TRANSFORMS)
def test_a_transform_of_units_that_breaks_its_promise_is_found(changes, message):
    testing.check_transform(Centred())
    with pytest.raises(AssertionError, match=message):
        testing.check_transform(broken(Centred, **changes))


@pytest.mark.parametrize(("changes", "message"), TRANSFORMS)
def test_a_transform_that_breaks_its_promise_is_found(changes, message):
    testing.check_transform(Mean())
    testing.check_transform(transforms.RankTransform())
    with pytest.raises(AssertionError, match=message):
        testing.check_transform(broken(Mean, **changes))


class Spread(lw.RepresentationStatistic):
    name = "spread"
    description = "mean norm"

    def compute(self, representation):
        representation.require_finite()
        return lw.StatisticValue(float(representation.norm.mean()))


def value(number, reason="", vector=None):
    return lambda self, *subjects: lw.StatisticValue(number, reason, vector)


STATISTICS = [
    (lw.ActivationStatistic, {"compute": value(float("nan"))}, r"gives nan .*, expected a finite number"),
    (lw.ActivationStatistic, {"compute": value(None)}, r"neither a number nor a reason"),
    (lw.ActivationStatistic, {"compute": value(1.0, vector=np.eye(2))}, r"a vector that is none"),
    (
        lw.ActivationStatistic,
        {"compute": lambda self, s: s.mean[0]},
        r"gives a float64 .*expected a layerwise.plugin.Stat",
    ),
    (
        lw.ActivationStatistic,
        {"compute": lambda self, s: lw.StatisticValue(float(np.nan_to_num(s.mean[0])))},
        r"when the stimuli come in another order",
    ),
    (Spread, {"compute": lambda self, r: spoil(r.mean)}, r"changes what it is given"),
    (Spread, {"compute": lambda self, r: lw.StatisticValue(1 / float(r.norm.sum()))}, r"raises ZeroDivisionError"),
    (Spread, {"unit": None}, r"has unit None"),
    (
        lw.JointStatistic,
        {"compute": lambda self, s, r: lw.StatisticValue(float(np.random.default_rng().normal()))},
        r"when asked twice",
    ),
    (lw.WeightStatistic, {"compute": lambda self, w: lw.StatisticValue(float(w.mean()))}, r"nan for an empty tensor"),
    (lw.WeightStatistic, {"compute": lambda self, w: lw.StatisticValue(float(w.nbytes))}, r"instead of float64"),
    (lw.Statistic, {}, r"is a Broken, expected a subclass of Activation, Representation"),
]


@pytest.mark.parametrize(("kind", "changes", "message"), STATISTICS)
def test_a_statistic_that_breaks_its_promise_is_found(kind, changes, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_statistic(broken(kind, **changes))


class Total(lw.StreamedStatistic):
    """A sound streamed statistic: the mean of all that is finite."""

    name = "total"
    description = "sum of what is finite"

    def start(self, n_stimuli, n_features):
        return [0.0]

    def update(self, state, activations, stimuli, units):
        state[0] += float(activations[np.isfinite(activations)].sum(dtype=np.float64))

    def finish(self, state):
        return lw.StatisticValue(float(np.sum([np.sum(item) for item in state])))


class Favourite(Total):
    """Which unit wins, on average; of units that are equal, the one that came first."""

    def start(self, n_stimuli, n_features):
        return np.full(n_stimuli, -np.inf), np.zeros(n_stimuli)

    def update(self, state, activations, stimuli, units):
        strongest, winner = state
        found = np.nan_to_num(activations).max(axis=1)
        better = found > strongest[stimuli]
        winner[stimuli] = np.where(better, activations.argmax(axis=1) + units.start, winner[stimuli])
        strongest[stimuli] = np.maximum(found, strongest[stimuli])

    def finish(self, state):
        return lw.StatisticValue(float(state[1].mean()))


class ThreadBound(Total):
    """Keeps its numbers where only the thread that began may see them."""

    def start(self, n_stimuli, n_features):
        return sqlite3.connect(":memory:")

    def update(self, state, activations, stimuli, units):
        state.execute("SELECT ?", [float(activations.sum())])


class OnItself(Total):
    """Keeps its sum on itself, of whatever layer."""

    def start(self, n_stimuli, n_features):
        self.sum = [0.0]
        return self.sum

    def update(self, state, activations, stimuli, units):
        super().update(self.sum, activations, stimuli, units)

    def finish(self, state):
        return super().finish(self.sum)


STREAMED = [
    (
        {"update": lambda self, s, x, i, j: s.__setitem__(0, float(x[np.isfinite(x)].sum()))},
        r"when the layer comes in batches",
    ),
    (
        {"update": lambda self, s, x, i, j: s.append(x)},
        r"goes from .* to .*, expected the same|expected a finite number",
    ),
    ({"update": lambda self, s, x, i, j: spoil(x)}, r"changes what it is given"),
    ({"finish": lambda self, s: s[0]}, r"gives a float"),
]


@pytest.mark.parametrize(("changes", "message"), STREAMED)
def test_a_streamed_statistic_that_breaks_its_promise_is_found(changes, message):
    testing.check_statistic(Total())
    with pytest.raises(AssertionError, match=message):
        testing.check_statistic(broken(Total, **changes))


@pytest.mark.parametrize(
    ("statistic", "message"),
    [
        (Favourite, r"goes from .* to .* when the layer comes in pieces in any order, expected the same"),
        (ThreadBound, r"raises ProgrammingError"),
        (OnItself, r"goes from .* to .* when another layer streams beside it"),
    ],
)
def test_a_streamed_statistic_that_is_right_on_one_layer_in_order_alone_is_found(statistic, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_statistic(statistic())


def refuse(self, *arguments):
    raise lw.InputError("not today")


REORDERERS = [
    ({"order": lambda self, s, names: np.zeros(len(s), dtype=int)}, r"no permutation: expected each of 0 to 11 once"),
    ({"order": lambda self, s, names: np.arange(len(s)) + 1}, r"no permutation"),
    ({"order": lambda self, s, names: list(range(len(s)))}, r"gives a list .*, expected 12 integers"),
    ({"order": lambda self, s, names: np.arange(len(s), dtype=float)}, r"gives float64 of shape \(12,\)"),
    ({"order": lambda self, s, names: np.flatnonzero(~np.isnan(np.diag(s)))}, r"expected 12 integers"),
    ({"order": lambda self, s, names: np.argsort(spoil(s)[0])}, r"changes what it is given"),
    ({"order": lambda self, s, names: np.argsort([n[0] for n in names])}, r"raises TypeError"),
    (
        {"order": lambda self, s, names: np.random.default_rng().permutation(len(s))},
        r"different orders when asked twice",
    ),
    ({"order": refuse}, r"refuses an ordinary matrix of labelled stimuli: not today"),
]


@pytest.mark.parametrize(("changes", "message"), REORDERERS)
def test_a_reorderer_that_breaks_its_promise_is_found(changes, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_reorderer(broken(reorderers.UnchangedReorderer, **changes))


def strange(self, argument, layers):
    return [dataclasses.replace(layer, name="mine") for layer in layers[:1]]


SELECTORS = [
    ({"select": lambda self, argument, layers: []}, r"picks nothing for ''"),
    ({"select": strange}, r"expected only layers that it was given"),
    ({"select": lambda self, argument, layers: [*layers, *layers]}, r"picks a layer twice"),
    ({"select": lambda self, argument, layers: layers[0]}, r"gives a Layer .*, expected a sequence"),
    ({"select": lambda self, argument, layers: layers[int(argument or 0) :]}, r"raises ValueError"),
    ({"select": lambda self, argument, layers: [layers.pop()]}, r"changes the list of layers"),
]


@pytest.mark.parametrize(("changes", "message"), SELECTORS)
def test_a_selector_that_breaks_its_promise_is_found(changes, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_selector(broken(selectors.AllSelector, **changes))


class ToyLoader(lw.ModelLoader):
    name = "toy"
    description = "a toy"

    def accepts(self, model):
        return model == "toy"

    def load(self, request):
        return testing.ToyModel()


def loading(**changes):
    """A loader of toy networks in which something is replaced."""

    def load(self, request):
        model = type("Changed", (testing.ToyModel,), {})()
        for name, change in changes.items():
            setattr(model, name, change(model))
        return model

    return {"load": load}


def info(**changes):
    return loading(info=lambda model: dataclasses.replace(model.info, **changes))


def forgetful(model):
    def refresh():
        model.info = dataclasses.replace(model.info, fingerprint="another")

    return refresh


def in_batches(model):
    compile_ = type(model).compile

    def compiled(start, outputs):
        inner = compile_(model, start, outputs)
        return lambda tensor: [value + np.float32(len(tensor)) for value in inner(tensor)]

    return compiled


def from_cuts(model):
    compile_ = type(model).compile

    def compiled(start, outputs):
        shift = np.float32(start != "input")
        return lambda tensor: [value + shift for value in compile_(model, start, outputs)(tensor)]

    return compiled


def reusing(model):
    compile_, kept = type(model).compile, {}

    def compiled(start, outputs):
        def compute(tensor):
            found = compile_(model, start, outputs)(tensor)
            for name, value in zip(outputs, found, strict=True):
                store = kept.setdefault(name, np.empty((3, *value.shape[1:]), dtype=np.float32))
                store[: len(value)] = value
            return [kept[name][: len(tensor)] for name in outputs]

        return compute

    return compiled


LOADERS = [
    ({"accepts": lambda self, model: None}, r"answers None when asked whether it accepts 'toy', expected True"),
    ({"accepts": lambda self, model: True}, r"accepts and loads 'no/such/thing.not-a-model', expected an InputError"),
    ({"accepts": lambda self, model: model[0] == "t"}, r"raises IndexError"),
    ({"known_models": lambda self: ["other"]}, r"says that it knows 'other', but does not accept it"),
    ({"load": lambda self, request: None}, r"returned a NoneType, expected a Model"),
    (info(fingerprint=""), r"info.fingerprint is '', expected text"),
    (loading(refresh=forgetful), r"another one after a refresh"),
    (info(class_names=("one",)), r"gives 1 class names for 10 outputs"),
    (info(has_probabilities=True) | loading(layers=lambda m: m.layers[:-1]), r"0 layers in the role 'output'"),
    (loading(weights=lambda m: lambda: iter([*type(m).weights(m)] * 2)), r"weight tensors with the same name"),
    (loading(preprocess=lambda m: lambda pixels: pixels / 255.0), r"gives float64 of shape .* expected float32"),
    (loading(compile=in_batches), r"has other values in a batch of one"),
    (loading(compile=from_cuts), r"has other values when computed from cut point"),
    (loading(compile=reusing), r"writes to tensors that it has given away"),
]


@pytest.mark.parametrize(("changes", "message"), LOADERS)
def test_a_loader_that_breaks_its_promise_is_found(changes, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_loader(broken(ToyLoader, **changes), "toy")


def test_a_sound_loader_passes_and_one_that_names_its_models_by_chance_does_not():
    testing.check_loader(ToyLoader(), "toy")
    count = iter(range(100))

    def load(self, request):
        model = testing.ToyModel()
        model.info = dataclasses.replace(model.info, fingerprint=str(next(count)))
        return model

    with pytest.raises(AssertionError, match="another fingerprint when the same model is loaded twice"):
        testing.check_loader(broken(ToyLoader, load=load), "toy")


@pytest.fixture
def pixels(tmp_path):
    path = tmp_path / "pixels.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), dtype=np.uint8))
    return str(path)


def opening(**changes):
    """A source of arrays whose sets have something replaced."""

    def open_(self, location):
        found = ArraySource().open(location)
        for name, change in changes.items():
            setattr(found, name, change(found))
        return found

    return {"open": open_}


def decoding(**changes):
    """A source of arrays whose decoded stimuli have something replaced."""

    def decode(found):
        def decoded(index, size, resize):
            item = ArrayStimulusSet.decode(found, index, size, resize)
            return dataclasses.replace(item, **{name: change(item, size) for name, change in changes.items()})

        return decoded

    return opening(decode=decode)


SOURCES = [
    ({"accepts": lambda self, location: True, "open": lambda self, location: None}, r"accepts and opens"),
    (opening(stimuli=lambda found: found.stimuli[:1]), r"lists 1 stimuli .*, expected at least two"),
    (opening(stimuli=lambda found: found.stimuli[:1] * 3), r"twice, expected unique names"),
    (opening(name=lambda found: ""), r"a set whose name is ''"),
    (decoding(pixels=lambda item, size: item.pixels / 255.0), r"decodes float64 of shape"),
    (decoding(pixels=lambda item, size: item.pixels[:, :, :1].copy()), r"expected uint8 or float32 of shape"),
    (decoding(pixels=lambda item, size: item.pixels.astype("f4") - 300), r"expected 0 to 255"),
    (decoding(content_hash=lambda item, size: "abc"), r"gives the content hash 'abc', expected a hex SHA-256"),
    (decoding(content_hash=lambda item, size: f"{size[0]:064d}"), r"depends on the size or resize policy"),
    (decoding(thumbnail=lambda item, size: b"none"), r"a thumbnail that is no picture"),
]


@pytest.mark.parametrize(("changes", "message"), SOURCES)
def test_a_source_that_breaks_its_promise_is_found(changes, message, pixels):
    with pytest.raises(AssertionError, match=message):
        testing.check_source(broken(ArraySource, **changes), pixels)


class Section(lw.SectionBuilder):
    name = "section"
    description = "a list of runs"
    position = 5

    def applies(self, context):
        return bool(context.runs)

    def build(self, context):
        return lw.ReportSection("Runs", self.figures(context))

    def figures(self, context):
        return (lw.Figure("runs", "Runs", lw.Table(("run",), tuple((run.id,) for run in context.runs))),)


def chart(**more):
    import altair as alt

    data = more.get("data", alt.InlineData(values=[{"x": more.get("x", 1)}]))
    drawing = alt.Chart(data).mark_point().encode(x="x:Q")
    return lambda self, context: (lw.Figure("a", "A", lw.Chart(drawing), more.get("caption", "what is seen")),)


SECTIONS = [
    ({"position": None}, r"has position None"),
    ({"applies": lambda self, context: False}, r"applies neither to a run nor to three checkpoints"),
    ({"applies": lambda self, context: len(context.runs)}, r"answers 1 when asked whether it applies"),
    ({"build": lambda self, context: None}, r"builds a NoneType, expected a layerwise.plugin.ReportSection"),
    ({"build": refuse}, r"says that it applies .*, but refuses to be built: not today"),
    ({"build": lambda self, context: context.runs[5]}, r"raises IndexError"),
    ({"figures": lambda self, context: ()}, r"has no figures"),
    ({"figures": lambda self, context: Section().figures(context) * 2}, r"figures with the same name"),
    ({"figures": lambda self, context: (lw.Figure("a b", "A", lw.Listing("x")),)}, r"a figure called 'a b'"),
    (
        {"figures": lambda self, context: (lw.Figure("a", "A", "<b>text</b>", "words"),)},
        r"shows a str .* expected one of Chart",
    ),
    ({"figures": chart(caption="")}, r"has no caption in figure 'a'"),
    ({"figures": chart(x=float("nan"))}, r"a chart with NaN or infinite values"),
    (
        {"figures": chart(data="https://example.org/data.json")},
        r"a chart that loads \['https://example.org/data.json'\]",
    ),
]


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    from layerwise.plugins import load_plugins

    url = testing.make_history(tmp_path_factory.mktemp("section") / "history.db")
    with open_history(url) as history:
        yield lw.ReportContext(runs=history.list_runs(), history=history, registry=load_plugins())


@pytest.mark.parametrize(("changes", "message"), SECTIONS)
def test_a_section_that_breaks_its_promise_is_found(changes, message, context):
    testing.check_section(Section(), context)
    given = None if "neither" in message else context
    with pytest.raises(AssertionError, match=message):
        testing.check_section(broken(Section, **changes), given)


class Forgetful(LocalEngine):
    """Hands over all but one; or more; or from another thread."""

    def stream(self, job, sink):
        super().stream(
            job, type("Sink", (), {"layer_finished": self.finished(sink), "advance": self.advanced(sink)})()
        )

    def finished(self, sink):
        return lambda this, streamed: sink.layer_finished(streamed)

    def advanced(self, sink):
        return lambda this, count, what: sink.advance(count, what)


def all_but_pool(self, sink):
    return lambda this, streamed: None if streamed.target.layer.name == "pool" else sink.layer_finished(streamed)


def twice(self, sink):
    return lambda this, streamed: (sink.layer_finished(streamed), sink.layer_finished(streamed))


def off_by_a_percent(self, sink):
    def finished(this, streamed):
        products = dataclasses.replace(streamed.products, centred=streamed.products.centred * 1.01)
        sink.layer_finished(dataclasses.replace(streamed, products=products))

    return finished


def swallowing(self, sink):
    def finished(this, streamed):
        try:
            sink.layer_finished(streamed)
        except lw.LayerwiseError:
            logging.getLogger(__name__).info("never mind")

    return finished


def without_activations(self, sink):
    return lambda this, streamed: sink.layer_finished(dataclasses.replace(streamed, activations=None))


ENGINES = [
    ({"stream": lambda self, job, sink: None}, r"leaves out .* expected every target"),
    (
        {"finished": all_but_pool},
        r"leaves out \[\('pool', 'checked-centred'\), \('pool', 'checked-mean'\), \('pool', 'none'\)\]",
    ),
    ({"finished": twice}, r"more than once"),
    ({"finished": off_by_a_percent}, r"gives other centred products than the local engine for layer 'input'"),
    ({"finished": swallowing}, r"goes on although the sink raised 'the disk is full'"),
    ({"finished": without_activations}, r"does not hand over the activations"),
    ({"advanced": lambda self, sink: lambda this, count, what: None}, r"reports 0 stimulus passes"),
]


@pytest.mark.parametrize(("changes", "message"), ENGINES)
def test_an_engine_that_breaks_its_promise_is_found(changes, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_engine(broken(Forgetful, **changes))


def test_an_engine_that_passes_everything_on_is_sound():
    testing.check_engine(broken(Forgetful))


def attaching(name, documented=True):
    def attach(self, app):
        def command() -> None:
            pass

        if documented:
            command.__doc__ = "Do something."
        app.command(name)(command)

    return {"attach": attach}


COMMANDS = [
    ({"attach": lambda self, app: None}, r"attaches no command"),
    ({"attach": lambda self, app: print("hello")}, r"prints while it attaches its commands: 'hello"),
    ({"attach": lambda self, app: app.nothing()}, r"raises AttributeError"),
    (attaching("runs"), r"attaches a command 'runs', which Layerwise has"),
    (attaching("Mine"), r"a command called 'Mine', expected lower case"),
    (attaching("mine", documented=False), r"'mine' without help, expected a docstring"),
]


@pytest.mark.parametrize(("changes", "message"), COMMANDS)
def test_commands_that_break_their_promise_are_found(changes, message):
    testing.check_commands(broken(lw.CommandGroup, **attaching("mine")))
    with pytest.raises(AssertionError, match=message):
        testing.check_commands(broken(lw.CommandGroup, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, r"has no name that can be typed"),
        ({"name": "two words"}, r"`name` is 'two words', expected a word"),
        ({"name": "a:b"}, r"has no name that can be typed"),
        ({"description": ""}, r"has no description"),
        ({"description": "two\nlines"}, r"expected one line of text"),
    ],
)
def test_an_offer_that_cannot_be_typed_or_listed_is_found(changes, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_transform(broken(Mean, **changes))


def test_an_offer_of_another_kind_is_found():
    with pytest.raises(AssertionError, match=r"expected an instance of a subclass of layerwise\.Metric"):
        testing.check_metric(Mean())
