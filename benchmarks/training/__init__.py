"""Commands that fine-tune networks, and what their runs share."""
