"""The command line and the services as a person uses them: real processes on small worlds."""
