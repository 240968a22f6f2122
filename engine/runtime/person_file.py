"""Files that a person wrote: read whole, bounded, as text, with one line for what is wrong."""

from pathlib import Path

from engine.values.errors import UserError

BYTES_MAX = 1_000_000


def read_bytes(path: Path, bytes_max: int = BYTES_MAX) -> bytes:
    """Raises UserError where it cannot be read or is larger than `bytes_max`."""
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > bytes_max:
        raise UserError(f"{path}: larger than {bytes_max} bytes")
    return content


def read_text(path: Path, bytes_max: int = BYTES_MAX) -> str:
    """The same as UTF-8 text. Raises UserError."""
    try:
        return read_bytes(path, bytes_max).decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8 text") from error
