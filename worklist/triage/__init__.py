"""From probability to rank: predictions, study probability, rank keys, and the ranked list."""
