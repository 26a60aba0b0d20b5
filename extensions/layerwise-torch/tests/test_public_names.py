"""The extension is an outsider: it imports nothing but Layerwise's public names."""

from __future__ import annotations

import ast
from pathlib import Path

import layerwise
import pytest
from layerwise import plugin
from layerwise.testing import check_selector

import layerwise_torch
from layerwise_torch.selectors import ModuleSelector

FILES = sorted(Path(layerwise_torch.__file__).parent.glob("*.py")) + sorted(Path(__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_public_names_are_imported(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [str(node.module)]
            if node.module in {"layerwise", "layerwise.plugin"}:
                names = layerwise.__all__ if node.module == "layerwise" else plugin.__all__
                assert {alias.name for alias in node.names} <= set(names)
        inside = [name for name in modules if name.split(".")[0] == "layerwise"]
        assert set(inside) <= {"layerwise", "layerwise.plugin", "layerwise.testing"}


def test_the_selector_keeps_what_its_hook_promises():
    check_selector(ModuleSelector(), arguments=("block", "conv", "output"))
