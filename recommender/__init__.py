"""The networks: features, training, bundles, and the lean run time that serves them."""
