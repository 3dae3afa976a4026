"""Inkling: a glass-box training-and-inference service for handwritten digits."""

__version__ = "0.5.0"
