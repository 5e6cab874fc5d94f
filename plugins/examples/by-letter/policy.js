// An example policy for Waypost: the first letter of an address says where its mailbox lives.
//
// Settings:
//     ranges   from-to -> hosts, such as "a-m" -> ["mail1.example.test"]; digits are letters too
//     others   hosts for all other addresses; without, they are the next policy's

let ranges = [];
let others = null;

export const mapping = {
  configure(settings) {
    const given = JSON.parse(settings);
    const problems = Object.keys(given)
      .filter((key) => key !== "ranges" && key !== "others")
      .map((key) => ({ path: `/${key}`, message: "there is no such setting" }));
    for (const [range, hosts] of Object.entries(given.ranges ?? {})) {
      const path = `/ranges/${range.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      const [, from, to] = /^([a-z0-9])-([a-z0-9])$/.exec(range) ?? [];
      if (!from || from > to) {
        problems.push({ path, message: 'a range such as "a-m" was expected' });
      } else {
        ranges.push({ from, to, targets: targets(hosts, path, problems) });
      }
    }
    if (ranges.length === 0 && problems.length === 0) {
      problems.push({ path: "/ranges", message: "at least one range was expected" });
    }
    if (given.others !== undefined) {
      others = targets(given.others, "/others", problems);
    }
    if (problems.length > 0) {
      throw problems;
    }
  },

  route(lookup, context) {
    const letter = lookup.localPart.charAt(0).toLowerCase();
    const range = ranges.find(({ from, to }) => from <= letter && letter <= to);
    const found = range?.targets ?? others;
    if (found === null) {
      return { decision: { tag: "pass" }, hints: [] };
    }
    const route = { targets: found, verification: { tag: "by-backend" } };
    return { decision: { tag: "route", val: route }, hints: [] };
  },
};

function targets(hosts, path, problems) {
  const isHost = (host) => typeof host === "string" && host !== "";
  if (!Array.isArray(hosts) || hosts.length === 0 || !hosts.every(isHost)) {
    problems.push({ path, message: "a list of hosts was expected" });
    return [];
  }
  return hosts.map((host) => ({ host, hints: [] }));
}
