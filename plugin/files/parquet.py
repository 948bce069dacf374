"""Parquet: one document in each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from plugin.files.source import FileSource, Placed

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

# Rows that are in memory as Python values at one time.
_BATCH = 500


class ParquetSource(FileSource):
    """Documents of a Parquet file, a batch of rows in memory at a time; needs pyarrow."""

    def count(self) -> int | None:
        """How many rows the file says it has; no row is read."""
        with self._opened() as file:
            return int(file.metadata.num_rows)

    def scan(self) -> Iterator[Placed]:
        """Every document with its place, ``"cars.parquet row 17"``.

        Raises:
            SourceError: no Parquet file, no rows, two columns of one name, or damaged data at some point.
        """
        import pyarrow as pa

        number = 0
        with self._opened() as file:
            columns = file.schema_arrow.names
            if twice := sorted({repr(name) for name in columns if columns.count(name) > 1}):
                raise self.failure("every column name once", f"{', '.join(twice)} more than once", "Rename a column.")
            schema = pa.schema([(column.name, _plain_type(column.type)) for column in file.schema_arrow])
            if not file.metadata.num_rows:
                raise self.failure("at least one row", "none", "Export the documents again.")
            batches = file.iter_batches(batch_size=_BATCH)
            while True:
                try:
                    batch = next(batches, None)
                except (OSError, pa.ArrowException) as error:
                    fix = "Copy or export the file again; what stands before was read."
                    raise self.failure("undamaged data", _first_line(error), fix, f"after row {number}") from None
                if batch is None:
                    return
                for row in _rows(batch, schema):
                    number += 1
                    yield self._document(number, row)

    def _document(self, number: int, row: Mapping[str, Any] | Exception) -> Placed:
        where = f"row {number}"
        if isinstance(row, Exception):
            return self.broken(where, "values that can be read", _first_line(row), "Export the row again.")
        return self.placed(where), row

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            fix = "Install it: pip install 'sidetower[serve]'."
            raise self.failure("pyarrow, to read Parquet", "no such module", fix) from None
        try:
            file = pq.ParquetFile(self.path)
        except (OSError, pa.ArrowException) as error:
            fix = "Export the file again, or give it its true suffix."
            raise self.failure("a whole Parquet file", _first_line(error), fix) from None
        with file:
            yield file


def _rows(batch: pa.RecordBatch, schema: pa.Schema) -> Iterator[dict[str, Any] | Exception]:
    """The batch as Python values; when some value has none, row by row, with the error in its place."""
    try:
        yield from batch.cast(schema, safe=False).to_pylist()
    except (ValueError, OverflowError) as error:
        if batch.num_rows == 1:
            yield error
            return
        for index in range(batch.num_rows):
            yield from _rows(batch.slice(index, 1), schema)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type whose Python values are plain: no decimals, and no nanoseconds, which Python's times cannot hold."""
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=kind.tz)
    if pa.types.is_time64(kind):
        return pa.time64("us")
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    return kind


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
