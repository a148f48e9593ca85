"""What identity does: one transaction and one sentence each."""
