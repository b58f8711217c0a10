"""Analyses of a whole graph: its outputs, and which values and elements affect them."""
