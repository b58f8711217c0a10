"""How a report looks: its parts, pictures, numbers and names, as HTML and as Markdown."""
