"""What notifications keeps, and its ways out: tables, the directory at identity, the mail."""
