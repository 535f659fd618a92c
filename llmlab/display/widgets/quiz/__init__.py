"""Questions that explain their answers."""
