"""Callbacks that move masks while a model trains."""
