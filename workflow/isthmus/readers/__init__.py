"""Readers turn a vendor's files into the canonical parts of a sample."""
