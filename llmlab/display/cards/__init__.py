"""Cards and tables: what was claimed, measured and spent."""
