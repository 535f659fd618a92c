"""Loss curves, live or from records."""
