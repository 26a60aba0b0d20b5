"""A check as JUnit XML, which every continuous integration shows as tests: a case for each layer."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from layerwise.core.analysis.checking.check_run import Check, LayerCheck
from layerwise.report.checks.words import describe, how_it_was_checked

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(check: Check, *, allow_undecided: bool = False) -> str:
    """The document; failed and undecided layers are failures, layers that cannot be checked are skipped.

    Args:
        check: What came out.
        allow_undecided: Whether undecided layers are skipped rather than failures.
    """
    counted = ("undecided", "skipped") if allow_undecided else ("skipped",)
    skipped = [item for item in check.layers if item.verdict in counted]
    failed = [item for item in check.layers if item.verdict != "pass" and item not in skipped]
    counts = {"tests": len(check.layers), "failures": len(failed), "errors": 0, "skipped": len(skipped)}
    totals = {name: str(number) for name, number in counts.items()}
    root = ET.Element("testsuites", {"name": "layerwise check", **totals})
    suite = ET.SubElement(root, "testsuite", {"name": _clean(f"layerwise check {check.run.model.title}"), **totals})
    properties = ET.SubElement(suite, "properties")
    facts = {
        "run": check.run.id,
        "baseline": check.baseline.id,
        "measure": check.measure.name,
        "margin": f"{check.plan.margin:g}",
        "stimuli": str(check.n_stimuli),
    }
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": name, "value": value})
    for item in check.layers:
        case = ET.SubElement(suite, "testcase", {"classname": "layerwise.check", "name": _clean(item.layer)})
        _say(case, item, check, is_skipped=item in skipped)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _say(case: ET.Element, item: LayerCheck, check: Check, *, is_skipped: bool) -> None:
    message = _clean(f"{item.verdict}: {describe(item)}")
    if is_skipped:
        ET.SubElement(case, "skipped", {"message": message})
    elif item.verdict != "pass":
        failure = ET.SubElement(case, "failure", {"type": item.verdict, "message": message})
        failure.text = _clean(how_it_was_checked(check))


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return _FORBIDDEN.sub("?", text)
