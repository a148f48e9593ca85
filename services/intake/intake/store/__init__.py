"""Every statement intake ever runs: SQL in, domain out."""
