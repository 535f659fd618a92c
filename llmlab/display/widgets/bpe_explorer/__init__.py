"""Byte pair encoding, merge by merge."""
