"""Changes: their scope, state and approvals, templates, code, impact, advice, and reviews afterwards."""
