"""What layerwise/plugins/loaders/keras/graph.py relies upon that is private to Keras.

Where one of these fails after an upgrade of Keras, that module is what has to change.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers


@pytest.fixture
def network() -> Any:
    image = keras.Input((4, 4, 3), name="image")
    shared = layers.Conv2D(3, 1, name="shared")
    return keras.Model(image, keras.ops.add(shared(shared(image)), image), name="net")


def test_a_tensor_knows_the_operation_and_the_call_that_made_it(network: Any) -> None:
    operation, node_index, tensor_index = network.outputs[0]._keras_history
    node = operation._inbound_nodes[node_index]
    assert node.operation is operation
    assert node.outputs[tensor_index] is network.outputs[0]


def test_an_operation_has_a_record_of_each_of_its_calls_with_the_tensors_it_was_given(network: Any) -> None:
    first, second = network.get_layer("shared")._inbound_nodes
    assert first.arguments.keras_tensors == [network.inputs[0]]
    assert second.arguments.keras_tensors == first.outputs


def test_a_record_gives_the_arguments_of_its_call_with_other_tensors_in_place(network: Any) -> None:
    operation, index, _ = network.outputs[0]._keras_history
    arguments = operation._inbound_nodes[index].arguments
    held = {id(tensor): place for place, tensor in enumerate(arguments.keras_tensors)}
    assert arguments.fill_in(held) == ((0, 1), {})


def test_the_input_s_name_is_that_of_the_layer_in_its_history(network: Any) -> None:
    assert network.inputs[0]._keras_history[0].name == "image"


def test_functional_models_of_all_kinds_call_what_they_recorded_and_nothing_else(network: Any) -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs

    assert type(network) is not keras.Model
    assert type(keras.models.clone_model(network)).call is type(network).call
    assert keras.Sequential.call is not keras.Model.call
    assert Own(network.inputs, network.outputs).call != type(network).call


def test_a_layer_can_be_copied_without_its_weights_only_by_hand(network: Any) -> None:
    import copy

    layer = network.get_layer("shared")
    by_hand = object.__new__(type(layer))
    vars(by_hand).update(vars(layer))
    assert by_hand.kernel is layer.kernel
    assert copy.copy(layer).kernel is not layer.kernel
    np.testing.assert_array_equal(by_hand(np.ones((1, 4, 4, 3))), layer(np.ones((1, 4, 4, 3))))
