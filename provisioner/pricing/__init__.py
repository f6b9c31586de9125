"""
Tokens, model and moment in, money out.  Pure: no clock, no file, no catalogue is opened.

The caller passes a lookup of models.  What has no price is `NO_PRICE`, never nothing.
"""
