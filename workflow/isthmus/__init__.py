"""Isthmus: exact block-wise segmentation of bioimages, and the omics that belongs to them."""

__version__ = "0.1.0"
