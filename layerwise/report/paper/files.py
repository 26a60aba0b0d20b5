"""A drawn figure as the bytes of a file, by the file's suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from layerwise.core.base.errors import InputError
from layerwise.report.paper.look import MM
from layerwise.report.paper.render import Drawing, set_size


def to_svg(drawing: Drawing, description: str, dpi: float) -> bytes:  # noqa: ARG001
    """The picture as a file whose size is in millimetres, described for those who cannot see it."""
    svg = set_size(drawing.svg, drawing.width, drawing.height, "mm", MM)
    if description:
        head, end, rest = svg.partition(">")
        svg = f'{head} role="img"{end}<title>{escape(description)}</title>{rest}'
    return svg.encode()


def to_pdf(drawing: Drawing, description: str, dpi: float) -> bytes:  # noqa: ARG001
    """One page of the figure's size."""
    import vl_convert

    return bytes(vl_convert.svg_to_pdf(drawing.svg))


def to_png(drawing: Drawing, description: str, dpi: float) -> bytes:  # noqa: ARG001
    """Pixels at a resolution that the file states, so that it has the figure's size."""
    import vl_convert

    n_across, n_down = (max(1, round(side * dpi / 72)) for side in (drawing.width, drawing.height))
    # a hundredth of a pixel more, because what is not a whole number of them is cut off
    exact = set_size(drawing.svg, (n_across + 0.01) * 72 / dpi, (n_down + 0.01) * 72 / dpi)
    return bytes(vl_convert.svg_to_png(exact, scale=1, ppi=dpi))


FORMATS: dict[str, Callable[[Drawing, str, float], bytes]] = {".svg": to_svg, ".png": to_png, ".pdf": to_pdf}


def check_suffix(path: Path) -> None:
    """Make sure that the file's suffix names a format.

    Raises:
        InputError: If it does not.
    """
    if path.suffix.lower() not in FORMATS:
        said = f"no format '{path.suffix}'" if path.suffix else "its name has no suffix"
        raise InputError(f"cannot write {path}: {said}; there are: {', '.join(FORMATS)}")


def encode(drawing: Drawing, path: Path, description: str = "", dpi: float = 300.0) -> bytes:
    """What belongs into the file.

    Args:
        drawing: The figure.
        path: The file, whose suffix decides.
        description: What a person who cannot see the figure should be told; SVG carries it.
        dpi: Pixels an inch, of PNG.

    Raises:
        InputError: If the suffix names no format.
    """
    check_suffix(path)
    return FORMATS[path.suffix.lower()](drawing, description, dpi)
