"""Who may do what: identities, grants and their reviews, sources, policies, and what was taken back."""
