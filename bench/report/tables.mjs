import { label, short, withSpread } from "./numbers.mjs";

/** Columns by lane: what a reader sees above them, and which of our lanes they are held against. */
function columns(numbers, workloads) {
  const seen = (lane) => workloads.some((workload) => numbers.samples(workload, lane));
  const lanes = numbers.results.lanes.filter(({ id, peer }) => peer !== "evenkeel" && peer !== "limits" && seen(id));
  return lanes.map(({ id, title, threads, peer }) => ({
    lane: id,
    ours: peer === "torch" ? `evenkeel-${threads}` : "evenkeel-1",
    heading: threads > 1 ? `${title}, ${threads} threads` : title,
  }));
}

export function markdown(headings, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(headings), line(headings.map((_, i) => (i === 0 ? "---" : "--:"))), ...rows.map(line)].join("\n");
}

/** Our times, the others' times over ours, and how near the machine's limit we are. */
export function ratioTable(numbers, workloads) {
  const others = columns(numbers, workloads);
  const threads = numbers.threads.filter((t) => t > 1);
  const flops = workloads.some((workload) => workload.flops);
  const limits = workloads.some((workload) => numbers.samples(workload, "limits"));
  const headings = [
    "",
    "evenkeel, ms",
    ...(flops ? ["GFLOP/s"] : []),
    ...(limits ? [flops ? "of the peak" : "× memcpy"] : []),
    ...threads.map((t) => `${t} threads`),
    ...others.map(({ heading }) => heading),
  ];
  const rows = workloads.map((workload) => {
    const ours = numbers.spread(workload, "evenkeel-1");
    const limit = numbers.ratio(workload, "limits", "evenkeel-1");
    const near = limit && (flops ? `${(limit.median * 100).toFixed(0)} %` : `${short(1 / limit.median)}×`);
    const ratios = [
      ...threads.map((t) => numbers.ratio(workload, "evenkeel-1", `evenkeel-${t}`)),
      ...others.map(({ lane, ours }) => numbers.ratio(workload, lane, ours)),
    ];
    return [
      label(workload),
      withSpread(ours, 1e-6),
      ...(flops ? [short(workload.flops / ours.median)] : []),
      ...(limits ? [near ?? ""] : []),
      ...ratios.map((value) => (value ? `${short(value.median)}×` : "–")),
    ];
  });
  return markdown(headings, rows);
}

const MIB = 2 ** 20;

/** Peak resident memory, and what of it is there before any tensor. */
export function memoryTable(numbers, workloads) {
  const rows = workloads.flatMap((workload) =>
    workload.lanes
      .filter(({ samples }) => samples.length > 0)
      .map(({ lane, loaded }) => {
        const { title, threads } = numbers.results.lanes.find(({ id }) => id === lane);
        const peak = numbers.spread(workload, lane);
        const start = [...loaded].sort((a, b) => a - b)[loaded.length >> 1];
        return [
          title,
          threads,
          (peak.median / MIB).toFixed(0),
          (start / MIB).toFixed(0),
          ((peak.median - start) / MIB).toFixed(0),
        ];
      }),
  );
  return markdown(["", "threads", "peak, MiB", "after loading, MiB", "training adds, MiB"], rows);
}

/** Which lanes could not do which workloads, and why. */
export function unsupportedList(numbers) {
  const reasons = new Map();
  for (const { id, lanes } of numbers.results.workloads) {
    for (const { lane, unsupported } of lanes) {
      if (!unsupported || unsupported === "not compared") continue;
      const { title } = numbers.results.lanes.find((entry) => entry.id === lane) ?? { title: lane };
      const key = `${title}: ${unsupported}`;
      reasons.set(key, [...(reasons.get(key) ?? []), id]);
    }
  }
  return [...reasons].map(([reason, ids]) => `- ${reason} (${ids.join(", ")})`).join("\n");
}
