"""An example policy for Waypost: a table of comma-separated values says where mailboxes live.

Settings:
    table       the table, most often from a file: files = { table = "users.csv" }. Its first line
                names the columns: address, host, and, if names are to change, identity
    delimiter   what stands between two values, "," where it is not given
"""

import csv
import io
import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.mapping import Problem
from wit_world.imports import types

SETTINGS = ("table", "delimiter")
COLUMNS = {"address", "host", "identity"}
# The most problems that are told.
MOST_PROBLEMS = 64

# address -> (host, name to pass on)
users: dict[str, tuple[str, str | None]] = {}


class Mapping(exports.Mapping):
    """What Waypost calls."""

    def configure(self, settings: str) -> None:
        """Reads the table, once."""
        given = json.loads(settings)
        problems = [
            Problem(f"/{key}", "there is no such setting") for key in given if key not in SETTINGS
        ]
        table = given.get("table")
        delimiter = given.get("delimiter", ",")
        if not isinstance(table, str):
            problems.append(Problem("/table", "a table as text was expected"))
        elif not isinstance(delimiter, str) or len(delimiter) != 1:
            problems.append(Problem("/delimiter", "one character was expected"))
        else:
            read(table, delimiter, problems)
        if problems:
            raise Err(problems[:MOST_PROBLEMS])

    def route(self, lookup: types.Lookup, context: types.Context) -> types.Answer:
        """Looks the address up, and whom the table does not name leaves to the next policy."""
        found = users.get(lookup.address.lower())
        if found is None:
            return types.Answer(types.Decision_Pass(), None, [])
        host, identity = found
        target = types.Target(host, None, None, None, [])
        route = types.Route([target], identity, types.Verification_ByBackend())
        return types.Answer(types.Decision_Route(route), None, [])


def read(table: str, delimiter: str, problems: list[Problem]) -> None:
    """Reads the lines into `users`."""
    lines = csv.DictReader(io.StringIO(table.removeprefix("\ufeff")), delimiter=delimiter)
    columns = set(lines.fieldnames or [])
    if not {"address", "host"} <= columns <= COLUMNS:
        problems.append(Problem("/table", "line 1: the columns address, host and identity were expected"))
        return
    for line in lines:
        address, host = (line.get("address") or "").lower(), line.get("host") or ""
        if "@" not in address or not host:
            problems.append(Problem("/table", f"line {lines.line_num}: an address and a host were expected"))
        elif address in users:
            problems.append(Problem("/table", f"line {lines.line_num}: {address} is listed already"))
        else:
            users[address] = (host, line.get("identity") or None)
