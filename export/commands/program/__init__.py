"""The program `keras-approx` apart from its commands: parser and exit status, options, output, the page of options."""
