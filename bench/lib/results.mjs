/** How far two libraries' results may be apart, relative: float32 sums in different orders. */
const TOLERANCE = 1e-3;

/** The new results, and of the earlier ones what was not measured again; nothing of another machine's. */
export function merge(before, now) {
  if (
    before?.format !== now.format ||
    before.machine.cpu !== now.machine.cpu ||
    before.machine.node !== now.machine.node
  )
    return now;
  const measured = new Map(now.workloads.map((workload) => [workload.id, workload]));
  const kept = before.workloads.map((workload) => measured.get(workload.id) ?? workload);
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
