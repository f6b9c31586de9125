"""
A plan as a page for a browser: one file, no script.

`lanes` decides what a timeline shows, `timeline` and `rent` draw, `markup` is the only room
that makes elements, `style` the only one that knows colours, `page` puts all of it together.
"""

from provisioner.render.html.page import html_document, plan_article, result_article

__all__ = ["html_document", "plan_article", "result_article"]
