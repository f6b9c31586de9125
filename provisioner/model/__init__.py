"""
The nouns of the provisioner: three tenses, changes and plan, facts and state.

Everything is frozen; nothing here does I/O or knows the time.
"""
