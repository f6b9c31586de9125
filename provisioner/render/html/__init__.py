"""
A plan as a page for a browser: one file, no script.

`timeline` and `rent` draw, `markup` alone makes elements, `style` alone knows colours, and `page`
puts all of it together.
"""

from provisioner.render.html.page import html_document, plan_article, result_article

__all__ = ["html_document", "plan_article", "result_article"]
