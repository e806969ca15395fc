"""Labelled digits of one's own: folders of pictures, IDX and NumPy files, and tables."""
