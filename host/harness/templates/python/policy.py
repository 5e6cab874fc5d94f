"""A policy for Waypost: everybody lives on the same hosts, but for those who have moved.

Settings:
    hosts   where everybody lives, in the order in which it is tried
    moved   address -> hosts, for those who live elsewhere

Everything that is imported is imported here, at the top: when the component runs there is no
file system to import from.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.mapping import Problem
from wit_world.imports import types

# What `configure` leaves here is what every decision starts from.
hosts: list[types.Target] = []
moved: dict[str, list[types.Target]] = {}


class Mapping(exports.Mapping):
    """What Waypost calls."""

    def configure(self, settings: str) -> None:
        """Reads the settings, once. Everything that is wrong with them is told at once."""
        global hosts, moved
        given = json.loads(settings)
        problems = [
            Problem(pointer(key), "there is no such setting")
            for key in given
            if key not in ("hosts", "moved")
        ]
        if "hosts" in given:
            hosts = targets(given["hosts"], pointer("hosts"), problems)
        else:
            problems.append(Problem(pointer("hosts"), "this setting is required"))
        elsewhere = given.get("moved", {})
        if not isinstance(elsewhere, dict):
            problems.append(Problem(pointer("moved"), "a table was expected"))
            elsewhere = {}
        for address, written in elsewhere.items():
            place = pointer("moved", address)
            if "@" not in address:
                problems.append(Problem(place, "an address was expected"))
            moved[address.lower()] = targets(written, place, problems)
        if problems:
            raise Err(problems)

    def route(self, lookup: types.Lookup, context: types.Context) -> types.Answer:
        """Answers one question. What cannot be answered now is raised as `Err(types.Failure_…)`."""
        found = moved.get(lookup.address.lower(), hosts)
        route = types.Route(targets=found, identity=None, verification=types.Verification_ByBackend())
        return types.Answer(decision=types.Decision_Route(route), cache_for=None, hints=[])


def targets(written, place: str, problems: list[Problem]) -> list[types.Target]:
    """Hosts as operators write them, "host" or "host:port", as targets."""
    if not isinstance(written, list) or not written:
        problems.append(Problem(place, "a list of hosts was expected"))
        return []
    found = []
    for number, text in enumerate(written):
        host, _, port = text.partition(":") if isinstance(text, str) else ("", "", "")
        if not host or (port and not (port.isdigit() and 0 < int(port) < 65536)):
            problems.append(Problem(f"{place}/{number}", "a host was expected, with or without port"))
            continue
        found.append(types.Target(host, int(port) if port else None, None, None, []))
    return found


def pointer(*keys: str) -> str:
    """The JSON pointer of a setting (RFC 6901 section 3)."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
