"""The folder of an export: written as a whole, described by its manifest, compiled, linked."""
