"""The machinery of views: declaring, folding, storing, catching up, and asking about the past. It knows no view by name."""
