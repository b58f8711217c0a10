"""The command that puts saved figures into the documentation, and its tables and plots."""
