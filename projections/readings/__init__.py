"""What there is to know, a noun a file: row model, view and folds. A reading judges nothing."""
