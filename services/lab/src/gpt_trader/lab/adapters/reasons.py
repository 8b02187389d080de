"""Puts errors of reading and parsing into one line each."""

from pydantic import ValidationError


def reason_of(error: OSError | ValueError) -> str:
    """Name what is wrong; of a record that does not parse, each field with the reason."""
    match error:
        case OSError():
            return error.strerror or str(error)
        case ValidationError():
            return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'line'}: {one['msg']}" for one in error.errors())
        case _:
            return str(error)
