"""The public JSON, one shape each: what the gateway writes, what it reads, and what the OpenAPI says of both.

Documents, timelines, ledgers and imputations are written by intake and passed on byte for byte; their shapes here
only describe.
"""
