"""Every statement identity ever runs: SQL in, domain values out."""
