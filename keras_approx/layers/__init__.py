"""The layers of a wrapped model: skip masks, fake quantization, and which Keras layers there are layers for."""
