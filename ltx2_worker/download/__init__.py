"""Fetching the weights from the Hugging Face hub: whole, verified, or not at all."""
