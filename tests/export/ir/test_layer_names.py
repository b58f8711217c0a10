"""Names of layers from the names of their tensors."""

from __future__ import annotations

import pytest

from export.ir.layer_names import layer_name


@pytest.mark.parametrize(
    ("tensor", "name"),
    [
        ("net/conv1_relu/Relu;net/conv1/BiasAdd;net/conv1/Conv2D;net/conv1/BiasAdd/ReadVariableOp1", "conv1"),
        (
            "model/activation/Relu;model/bn/FusedBatchNormV3;model/c/BiasAdd;model/d/Conv2D;model/c/Conv2D1",
            "c",
        ),
        ("net/relu/Relu;net/stack1_add/add", "stack1_add"),
        ("net/bn/FusedBatchNormV3;net/conv/Conv2D", "conv"),
        ("net/block/inner/conv/BiasAdd", "block/inner/conv"),
        ("net/dense/MatMul;net/dense_relu/Relu", "dense"),
        ("net/flatten/Reshape;net/conv3_range/FakeQuantWithMinMaxVars", "flatten"),
        ("net/image_range/FakeQuantWithMinMaxVars/FakeQuantWithMinMaxVars", "image_range"),
        ("StatefulPartitionedCall:01", ""),
        ("conv_7:0", "conv_7"),
        ("", ""),
    ],
)
def test_layers_have_the_names_of_their_users(tensor, name):
    assert layer_name(tensor) == name
