"""The README's pictures, made anew by `python -m tools.pictures`: none is drawn by hand, or touched up."""
