"""The words and the ports of Sidetower: standard library and NumPy types only."""
