"""The int8 graph every stage of the exporter reads, and the arithmetic of its operators.

A `Graph` is a tuple of tensors and a tuple of operators in execution order, with inputs, outputs and states. All
records are frozen; frontends and passes make new graphs (`rewrite`), and `validate` states what holds for each:

- Activations are int8, NHWC, of batch 1, quantized per tensor as real = scale * (q - zero_point). Constants are
  int8 weights with zero point 0 and scales per tensor or per output channel, and int32 biases. Scales are float32
  values held in Python floats, so that arithmetic on them is the double precision of the reference kernels.
- A tensor is written once, before it is read. Paddings are explicit; a fused activation is a clamp of the output.

What each operator computes, bit for bit that of TFLite's reference kernels (acc is an exact integer; M2 and M1 are
`fixed_point.multiply_two_roundings` and `multiply_one_rounding`; zi, zo are the zero points of input and output):

    Conv2D, DepthwiseConv2D  clamp(zo + M2(bias + sum w * (x - zi), conv_multipliers)); padding adds nothing
    FullyConnected           clamp(zo + M1(bias + sum w * (x - zi), conv_multipliers)) over the flattened input
    Add                      clamp(zo + M2(M2((a - za) << 20, input1) + M2((b - zb) << 20, input2), output)),
                             multipliers from `fixed_point.add_parameters`
    MaxPool2D                clamp(max x) over what lies inside the input
    AveragePool2D            clamp(sum x / count), count inside the input, ties away from zero (`rounded_mean`)
    Mean                     clamp8(zo + M2(sum x - count * zi, multiplier)) (`fixed_point.mean_parameters`)
    Softmax                  table of exp, sum, reciprocal: see `softmax`
    Relu                     clamp(zo + M2(x - zi, relu_multiplier))
    Lookup                   table[x + 128]; `operators.elementwise.tables` makes the tables of functions
    Pad                      the zero point around the image
    Concatenation, Reshape   the same values

Records of operators that no other stage has to know stand in their files in `operators`, with their arithmetic.

No frontend lets a graph through whose accumulators or left shifts can leave 32 bits.
"""

from export.ir.graph import Graph
from export.ir.tensor import Quantization, Tensor

__all__ = ["Graph", "Quantization", "Tensor"]
