"""A trained GPT in the page."""
