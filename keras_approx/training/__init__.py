"""Training with masks: callbacks, elimination, distillation, the fine-tuning recipe."""
