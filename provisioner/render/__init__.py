"""
Plans, results and listings as text, JSON and Markdown; a module per format.

Wording, symbols and colour live here and nowhere else.  Pure: values in, a string out, and
untrusted text in them is escaped (`escape`).
"""
