"""What the past means: views folded from entries. No view is declared yet; docs/capabilities.md says what each row still waits for."""
