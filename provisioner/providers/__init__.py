"""
The three providers, each behind the same four verbs.

A room per provider: `claude` and `openai` compute request fragments and do no I/O;
`gemini` alone knows HTTP.  Nothing is imported here, so that whoever needs one provider
does not pay for another.
"""
