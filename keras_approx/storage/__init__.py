"""What is kept on disk: written whole or not at all, and read within bounds, since files of others are not trusted."""
