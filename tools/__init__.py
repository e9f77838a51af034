"""Writes documents and listings from the code; nothing of this is in the image."""
