"""News: feeds from strangers in, one number an asset out. No text leaves this room."""
