"""Int8 models that tests make."""
