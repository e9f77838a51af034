"""The README's pictures, by `python -m tools.readme_pictures`: none is drawn by hand."""
