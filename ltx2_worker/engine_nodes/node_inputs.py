"""Inputs that several nodes take alike."""

#: A model, and what it is to make and to avoid.
CONDITIONED_MODEL = {
    "model": ("MODEL",),
    "positive": ("CONDITIONING",),
    "negative": ("CONDITIONING",),
}
