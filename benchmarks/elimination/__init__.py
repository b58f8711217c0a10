"""Commands that skip products of trained networks without training them again."""
