"""Risk: models, scores, outcomes, and how well the scores predicted them."""
