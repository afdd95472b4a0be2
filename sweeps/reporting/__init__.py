"""What a sweep came to: facts, tables of them, and as Markdown, CSV, LaTeX or one page of HTML."""
