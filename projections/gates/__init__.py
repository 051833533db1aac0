"""Gates: questions before acting, which rules each asks, and the asking."""
