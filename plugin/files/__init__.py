"""Files as item sources: JSON Lines, CSV and Parquet."""
