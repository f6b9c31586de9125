"""
The three providers, each behind the same four verbs.

A module or package per provider: `claude` and `openai` compute request fragments and do no I/O;
`gemini` alone sends requests.  Nothing is imported here, so that a program that needs one
provider does not pay for another.
"""
