"""Unit tests of recommender/."""
