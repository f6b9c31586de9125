"""
What may be shown of a plan and of caches, as values.

Pure. A format reads these values, and never the planner, the state or a client.
"""
