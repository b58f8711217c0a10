"""Analyses of a whole graph: its outputs, and which values and elements matter in it."""
