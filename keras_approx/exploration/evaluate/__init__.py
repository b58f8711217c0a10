"""How a design is evaluated: its accuracy, in this process or in others, and its price."""
