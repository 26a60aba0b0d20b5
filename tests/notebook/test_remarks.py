"""What is remarked on the way can be acted on by who reads it: on the command line and in Python."""

from __future__ import annotations

import inspect
import re

import numpy as np

import layerwise as lw
from layerwise.core.network.model import ModelInfo
from layerwise.core.network.pixels import ArrayReader
from layerwise.core.runs.request import describe_untrained
from layerwise.plugins.loaders.description import describe_choice
from layerwise.plugins.sources.value_range import describe_range, find_range


def test_a_remark_that_names_an_option_names_pythons_word_for_it() -> None:
    pixels = ArrayReader(np.linspace(0, 1, 192).reshape(1, 8, 8, 3).astype(np.float32))
    model = ModelInfo("net", "untrained, seed 0", "0", (8, 8, 3), "none", "squash", 1)
    remarks = [
        describe_untrained(model),
        describe_choice(2, "main", "'side' are layers"),
        describe_range(find_range("array", pixels), pixels),
    ]
    known = inspect.signature(lw.analyze).parameters
    for remark in remarks:
        options = re.findall(r"--\w+( \S+)? \((\w+)=.*? in Python\)", remark)
        assert len(options) == remark.count("--") > 0, remark
        assert all(word in known for _, word in options), remark
