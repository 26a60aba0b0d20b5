"""Sums of tensors: are they NumPy's, wherever they lie and whatever precision is asked for around them?"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from layerwise.testing import check_arrays

from layerwise_torch.arrays import TorchArrays


@pytest.mark.parametrize("seed", [0, 1])
def test_sums_of_tensors_are_those_of_numpy(seed):
    check_arrays(TorchArrays("cpu"), seed=seed)


def test_sums_of_tensors_do_not_depend_on_where_a_chunk_lies():
    arrays = TorchArrays("cpu")
    rows = torch.randn(140, 9001, generator=torch.Generator().manual_seed(0))
    buffer = arrays.empty(rows.numel() + 9)
    found = []
    for start in (0, 9):
        place = buffer[start:][: rows.numel()].reshape(rows.shape)
        arrays.write(place, rows)
        found.append(arrays.sum_chunk(place, in_double=False))
    np.testing.assert_array_equal(found[0].gram, found[1].gram)
    np.testing.assert_array_equal(found[0].summary.power4, found[1].summary.power4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_activations_of_any_precision_and_layout_are_summed_in_float32(dtype):
    arrays = TorchArrays("cpu")
    values = torch.randn(4, 3, 5, 6, dtype=dtype).to(memory_format=torch.channels_last).movedim(1, -1)
    place = arrays.empty(4 * 90).reshape(4, 90)
    arrays.write(place, values.reshape(4, -1))
    np.testing.assert_array_equal(arrays.fetch(place), values.reshape(4, -1).float())
    assert arrays.fetch(values).dtype == (np.float64 if dtype is torch.float64 else np.float32)


def test_sums_are_in_full_precision_whatever_is_asked_for_around_them():
    arrays, rows = TorchArrays("cpu"), torch.randn(140, 5000, generator=torch.Generator().manual_seed(0))
    plain = arrays.sum_chunk(rows, in_double=False)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = arrays.sum_chunk(rows, in_double=False)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    assert found.gram.dtype == torch.float64
    np.testing.assert_array_equal(found.gram, plain.gram)


def test_stimuli_whose_numbers_are_far_smaller_than_the_others_keep_their_moments():
    rows = torch.randn(140, 5000, generator=torch.Generator().manual_seed(0))
    rows[3] *= 1e-13
    summary = TorchArrays("cpu").sum_chunk(rows, in_double=False).summary
    exact = rows[3].double() - rows[3].double().mean()
    np.testing.assert_allclose(summary.power4[3], (exact**4).sum(), rtol=1e-5)


def test_activations_that_are_not_finite_are_left_for_the_layer_to_report():
    rows = torch.ones(140, 5000)
    rows[5, 7] = torch.nan
    summary = TorchArrays("cpu").sum_chunk(rows, in_double=False).summary
    assert np.flatnonzero(~np.isfinite(summary.minimum)).tolist() == [5]


def test_running_out_of_memory_is_told_from_other_errors():
    arrays = TorchArrays("cpu")
    assert arrays.is_exhausted(torch.OutOfMemoryError("CUDA out of memory"))
    assert not arrays.is_exhausted(RuntimeError("shapes do not fit"))
