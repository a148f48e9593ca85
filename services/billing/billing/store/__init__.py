"""Billing's tables: the price book, and charges with their double entry."""
