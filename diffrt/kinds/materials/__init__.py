"""Materials, one file each; the formulas that the rough ones share are in `microfacets.py`."""
