"""Pure folds and judgements over what was recorded."""
