"""What the radiologist does: open a study, keep it while reading, judge it or put it off."""
