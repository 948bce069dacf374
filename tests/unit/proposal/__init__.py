"""From a sample to a proposal."""
