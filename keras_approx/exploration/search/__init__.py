"""How designs are searched: generators of proposals that are sent their records."""
