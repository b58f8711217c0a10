"""The name that a user gave a layer, from the name that a converter gave its output."""

from __future__ import annotations

import re

# What converters add behind a layer's path: parameters, resources and ranges, which are no operators.
_PARAMETERS = re.compile(r"(ReadVariableOp|resource|FakeQuant|Const)", re.IGNORECASE)
_PRODUCTS = re.compile(r"MatMul|Conv2D|depthwise|conv2d_transpose")


def layer_name(tensor: str) -> str:
    """The layer's own name, empty where the converter dropped it.

    TFLite's converter joins the paths of all that it fused, such as `net/conv1_relu/Relu;net/conv1/BiasAdd;...`: the
    model, the layer, what the layer did. The layer is the one that adds a bias, else one that multiplies, else the
    last. Names without a path are those of other tools and stay.

    Args:
        tensor: The name of the layer's output in the graph; untrusted.
    """
    paths = [path.split("/") for path in tensor.split(";") if path.count("/") >= 2]
    layers = [path for path in paths if not _PARAMETERS.search(path[-1])] or paths
    if layers:
        biases = [path for path in layers if path[-1].startswith("BiasAdd")]
        products = [path for path in layers if _PRODUCTS.match(path[-1])]
        chosen = [*biases, *products, layers[-1]][0]
        return "/".join(part for part in chosen[1:-1] if not _PARAMETERS.search(part))
    first = tensor.partition(";")[0]
    return "" if first.startswith("StatefulPartitionedCall") else re.sub(r":\d+$", "", first)
