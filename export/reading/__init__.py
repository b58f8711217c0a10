"""A stored model as plain records, and what lowering them to the graph shares: none of the file is trusted."""
