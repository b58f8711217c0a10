"""The Pareto front of an exploration: what it holds, its file, table and pictures, and what becomes of its designs."""
