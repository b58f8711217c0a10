"""The Pareto front of an exploration: its data, file, tables and pictures; its designs applied and fine-tuned."""
