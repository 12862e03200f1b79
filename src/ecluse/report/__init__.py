"""How results look: on a terminal, in Markdown for job summaries, in HTML for people who look."""
