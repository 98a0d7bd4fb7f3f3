"""The fast engine: posterior in seconds, by a Gaussian approximation that says where it can be trusted."""
