"""The README's pictures, made anew by `python -m tools.readme_pictures`: none is drawn by hand, or touched up."""
