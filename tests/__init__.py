"""Tests: they mirror the source, then what spans rooms."""
