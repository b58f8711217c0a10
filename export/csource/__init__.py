"""C text: comments, tables, and the statements around the loops of a layer."""
