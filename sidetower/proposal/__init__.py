"""From a sample of documents to a configuration file: facts, roles, text."""
