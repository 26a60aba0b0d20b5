"""The figures about single stimuli as HTML: matrices, pairs, maps; and the atlas that they share, once a page."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from markupsafe import Markup

from layerwise.report import drawing
from layerwise.report.atlas import ChangedPair, MatrixBrowser, PairExplorer, StimulusAtlas, StimulusMap
from layerwise.report.content import Alternatives, Figure, SideBySide
from layerwise.report.markup import data_uri, embed_json, render_content, templates

MANY_LABELS = 20  # more cannot be told apart by colour


def pack(data: bytes) -> str:
    """Bytes compressed, as text; the page's `inflate` undoes it."""
    return base64.b64encode(zlib.compress(data, 6)).decode()


def find_atlases(contents: Iterable[object]) -> Iterator[StimulusAtlas]:
    """The atlases that these contents, and those inside them, refer to."""
    for content in contents:
        if isinstance(content, MatrixBrowser | PairExplorer | StimulusMap):
            yield content.atlas
        elif isinstance(content, SideBySide | Alternatives):
            yield from find_atlases(figure.content for figure in content.figures)


def shared_data(contents: Iterable[object]) -> dict[str, Markup]:
    """What several figures of a page refer to, by the id of the element that holds it: each once."""
    shared: dict[str, Markup] = {}
    for atlas in find_atlases(contents):
        if atlas.key not in shared:
            if atlas.thumbnails:
                shared.setdefault(pictures_key(atlas), embed_json([data_uri(image) for image in atlas.thumbnails]))
            shared[atlas.key] = embed_json(atlas_data(atlas))
    return shared


def pictures_key(atlas: StimulusAtlas) -> str:
    """The id of the element with the pictures: the same for atlases of the same stimuli."""
    digest = hashlib.sha256()
    for image in atlas.thumbnails:
        digest.update(hashlib.sha256(image).digest())
    return f"pictures-{digest.hexdigest()[:16]}"


def atlas_data(atlas: StimulusAtlas) -> dict[str, Any]:
    """What the page's scripts need of an atlas: compressed codes and how to read them, orders, colours, names."""
    measure, stimuli = atlas.measure, atlas.stimuli
    diverging = measure.kind == "similarity" and (measure.value_range[0] is None or measure.value_range[0] < 0)
    colours = drawing.diverging_colours(drawing.N_CODES) if diverging else drawing.sequential_colours(drawing.N_CODES)
    return {
        "title": atlas.title,
        "measure": {
            "name": measure.name,
            "words": measure.description,
            "symbol": measure.symbol or measure.name,
            "unit": measure.unit,
            "kind": measure.kind,
            "range": list(measure.value_range),
            "diverging": diverging,
        },
        "colours": [part for colour in (colours[::-1] if measure.kind == "distance" else colours) for part in colour],
        "undefined": list(drawing.UNDEFINED),
        "palette": list(drawing.PALETTE),
        "names": [stimulus.name for stimulus in stimuli],
        "labels": [stimulus.label for stimulus in stimuli],
        "answers": [stimulus.answer for stimulus in stimuli],
        "confidence": [None if s.confidence is None else round(s.confidence, 4) for s in stimuli],
        "right": [stimulus.right for stimulus in stimuli],
        "pictures": pictures_key(atlas) if atlas.thumbnails else None,
        "orders": [{"name": order.name, "permutation": list(order.permutation)} for order in atlas.orders],
        "matrices": [
            {
                "name": matrix.name,
                "group": matrix.group,
                "codes": pack(matrix.codes),
                "step": matrix.step,
                "offset": matrix.offset,
                "diagonal": list(matrix.diagonal),
                "undefined": list(matrix.undefined),
                "position": matrix.position,
            }
            for matrix in atlas.matrices
        ],
    }


def group_matrices(atlas: StimulusAtlas, places: Iterable[int]) -> dict[str, list[tuple[int, str]]]:
    """Positions and names of some matrices under the headings that they are listed under."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for place in places:
        matrix = atlas.matrices[place]
        groups.setdefault(matrix.group, []).append((place, matrix.name))
    return groups


def _render(template: str, **values: Any) -> Markup:
    return Markup(templates().get_template(template).render(values))


@render_content.register
def _matrices(content: MatrixBrowser, anchor: str, figure: Figure) -> Markup:
    atlas = content.atlas
    orders = list(enumerate(atlas.orders))
    known = [(index, order) for index, order in orders if not order.layer or order.name in ("input", "output")]
    others = [(index, order) for index, order in orders if (index, order) not in known]
    groups = group_matrices(atlas, range(len(atlas.matrices)))
    return _render(
        "matrices.html",
        anchor=anchor,
        atlas=atlas,
        groups=groups,
        known=known,
        others=others,
        figure=figure,
    )


@render_content.register
def _explorer(content: PairExplorer, anchor: str, figure: Figure) -> Markup:
    places = sorted({place for pair in content.pairs for place in pair.layers})
    return _render(
        "explorer.html",
        anchor=anchor,
        atlas=content.atlas,
        groups=group_matrices(content.atlas, places),
        start=content.start,
        data=embed_json(
            {"atlas": content.atlas.key, "start": list(content.start), "pairs": pack(pair_bytes(content))}
        ),
        figure=figure,
    )


def pair_bytes(content: PairExplorer) -> bytes:
    """The numbers of an explorer as JSON: of each two layers their places, number of pairs, r, parted, joined."""
    rows = [
        [*pair.layers, pair.n_pairs, pair.correlation, _changed(pair.parted), _changed(pair.joined)]
        for pair in content.pairs
    ]
    return json.dumps(rows, allow_nan=False, separators=(",", ":")).encode()


def _changed(pairs: Iterable[ChangedPair]) -> list[list[float]]:
    """Positions of both stimuli, their values in either layer to seven digits, their places to a millionth."""
    return [
        [pair.first, pair.second, *(float(f"{v:.7g}") for v in pair.values), *(round(v, 6) for v in pair.places)]
        for pair in pairs
    ]


@render_content.register
def _map(content: StimulusMap, anchor: str, figure: Figure) -> Markup:
    atlas = content.atlas
    places = [found.matrix for found in content.maps]
    data = {
        "atlas": atlas.key,
        "maps": [
            {
                "matrix": found.matrix,
                "points": [None if point is None else [round(place, 4) for place in point] for point in found.points],
                "stress": None if found.stress is None else round(found.stress, 4),
                "kept": None if found.kept is None else round(found.kept, 4),
            }
            for found in content.maps
        ],
    }
    groups = group_matrices(atlas, places)
    return _render(
        "map.html",
        anchor=anchor,
        atlas=atlas,
        groups=groups,
        n_main=len(next(iter(groups.values()), [])),
        colourings=list_colourings(atlas),
        data=embed_json(data),
        figure=figure,
    )


def list_colourings(atlas: StimulusAtlas) -> list[tuple[str, str]]:
    """By what the stimuli can be coloured: name for the script, and in words."""
    labels = {stimulus.label for stimulus in atlas.stimuli if stimulus.label}
    found = [("plain", "nothing")]
    if 1 < len(labels) <= MANY_LABELS:
        found.append(("label", "label"))
    if any(stimulus.confidence is not None for stimulus in atlas.stimuli):
        found.append(("confidence", "confidence of the answer"))
    if any(stimulus.right is not None for stimulus in atlas.stimuli):
        found.append(("right", "right or wrong answer"))
    return found
