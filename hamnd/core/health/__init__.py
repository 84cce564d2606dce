"""What is believed about the pair: observations in, conditions and the primary-down rule out."""
