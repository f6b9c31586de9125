"""
A plan as a page for a browser: one file, no script.

`charts` draws, `markup` alone makes elements, and `page`, which alone knows colours, puts all of
it together.
"""
