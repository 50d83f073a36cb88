"""Redis: the latest prices and what instruments are, at hand; all of it may be lost at any time."""
