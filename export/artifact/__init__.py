"""The folder an export is: written as a whole, described by its manifest, compiled, linked."""
