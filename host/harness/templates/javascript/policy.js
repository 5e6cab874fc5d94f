// A policy for Waypost: everybody lives on the same hosts, but for those who have moved.
//
// Settings:
//     hosts   where everybody lives, in the order in which it is tried
//     moved   address -> hosts, for those who live elsewhere

// What `configure` leaves here is what every decision starts from.
let hosts = [];
const moved = new Map();

export const mapping = {
  // Reads the settings, once. Everything that is wrong with them is told at once.
  configure(settings) {
    const given = JSON.parse(settings);
    const problems = Object.keys(given)
      .filter((key) => key !== "hosts" && key !== "moved")
      .map((key) => ({ path: pointer(key), message: "there is no such setting" }));
    if ("hosts" in given) {
      hosts = targets(given.hosts, pointer("hosts"), problems);
    } else {
      problems.push({ path: pointer("hosts"), message: "this setting is required" });
    }
    for (const [address, written] of Object.entries(given.moved ?? {})) {
      const path = pointer("moved", address);
      if (!address.includes("@")) {
        problems.push({ path, message: "an address was expected" });
      }
      moved.set(address.toLowerCase(), targets(written, path, problems));
    }
    if (problems.length > 0) {
      throw problems;
    }
  },

  // Answers one question. What cannot be answered now is thrown as a failure:
  // `throw { tag: "bad-data", val: "why" }`.
  route(lookup, context) {
    const found = moved.get(lookup.address.toLowerCase()) ?? hosts;
    const route = { targets: found, verification: { tag: "by-backend" } };
    return { decision: { tag: "route", val: route }, hints: [] };
  },
};

// Hosts as operators write them, "host" or "host:port", as targets.
function targets(written, path, problems) {
  if (!Array.isArray(written) || written.length === 0) {
    problems.push({ path, message: "a list of hosts was expected" });
    return [];
  }
  return written.map((text, number) => {
    const [, host, port] = /^([^:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
    if (!host || (port !== undefined && !(Number(port) > 0 && Number(port) < 65536))) {
      const message = "a host was expected, with or without port";
      problems.push({ path: `${path}/${number}`, message });
    }
    return { host: host ?? "", port: port && Number(port), hints: [] };
  });
}

// The JSON pointer of a setting (RFC 6901 section 3).
function pointer(...keys) {
  return keys.map((key) => "/" + key.replaceAll("~", "~0").replaceAll("/", "~1")).join("");
}
