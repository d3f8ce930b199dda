/** How far two libraries' results may be apart, relative: float32 sums in different orders. */
const TOLERANCE = 1e-3;

/** The new results, and of the earlier ones what was not measured again; nothing of another machine's. */
export function merge(before, now, add = false) {
  if (
    before?.format !== now.format ||
    before.machine.cpu !== now.machine.cpu ||
    before.machine.node !== now.machine.node
  )
    return now;
  const measured = new Map(now.workloads.map((workload) => [workload.id, workload]));
  const kept = before.workloads.map((workload) => {
    const newer = measured.get(workload.id);
    return newer && add ? together(workload, newer) : (newer ?? workload);
  });
  const known = new Set(kept.map(({ id }) => id));
  const lanes = [...before.lanes, ...now.lanes.filter(({ id }) => !before.lanes.some((lane) => lane.id === id))];
  const present = Object.fromEntries(
    Object.entries(now.peers).filter(([id, peer]) => !peer.missing || !before.peers[id]),
  );
  return {
    ...now,
    lanes,
    peers: { ...before.peers, ...present },
    workloads: [...kept, ...now.workloads.filter(({ id }) => !known.has(id))],
  };
}

/** A workload with the samples of an earlier run before its own, where a lane has both. */
function together(before, now) {
  const earlier = new Map(before.lanes.map(({ lane, samples }) => [lane, samples]));
  const lanes = now.lanes.map((own) =>
    own.samples.length > 0 ? { ...own, samples: [...(earlier.get(own.lane) ?? []), ...own.samples] } : own,
  );
  return { ...now, lanes };
}

/** Where lanes disagree about the result: then a time means nothing. */
export function problems({ workloads }) {
  return workloads.flatMap(({ id, lanes }) => {
    const known = lanes.filter(({ check }) => check !== undefined);
    const [first, ...others] = known;
    return others
      .filter(({ check }) => Math.abs(check - first.check) > TOLERANCE * Math.abs(first.check) + 1e-6)
      .map(({ lane, check }) => `${id}: ${lane} computes ${check}, ${first.lane} ${first.check}`);
  });
}
