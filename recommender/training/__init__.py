"""The training side: the only place that knows TensorFlow, Keras and torch."""
