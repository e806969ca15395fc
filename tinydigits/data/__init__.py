"""Digits: where they come from, and in which order a net sees them."""
