"""Infrastructure as code: what is planned, and what was done with it."""
