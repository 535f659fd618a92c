"""A GPT in one picture, part by part."""
