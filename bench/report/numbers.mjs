import { ratio, spread } from "../lib/stats.mjs";

/** Results, looked up by workload and lane. */
export class Numbers {
  constructor(results) {
    this.results = results;
    this.byId = new Map(results.workloads.map((workload) => [workload.id, workload]));
  }

  /** Workloads that a test accepts and that evenkeel was timed in. */
  where(accept) {
    return this.results.workloads.filter((workload) => accept(workload) && this.samples(workload, "evenkeel-1"));
  }

  samples(workload, lane) {
    const found = workload?.lanes.find((entry) => entry.lane === lane);
    return found && found.samples.length > 0 ? found.samples : null;
  }

  /** Median and quartiles of a lane, in nanoseconds or bytes. */
  spread(workload, lane) {
    const samples = this.samples(workload, lane);
    return samples && spread(samples);
  }

  /** Median and quartiles of a lane against another; null where one is missing. */
  ratio(workload, theirs, ours) {
    const [a, b] = [this.samples(workload, theirs), this.samples(workload, ours)];
    return a && b && ratio(a, b);
  }

  /** The same against PyTorch's faster layout with so many threads. */
  againstFasterTorch(workload, threads) {
    const both = [`torch-${threads}`, `torch-${threads}-last`].map((lane) =>
      this.ratio(workload, lane, `evenkeel-${threads}`),
    );
    return both.filter(Boolean).sort((a, b) => a.median - b.median)[0] ?? null;
  }

  /** The largest number of threads measured. */
  get threads() {
    const counts = this.results.lanes.filter(({ peer }) => peer === "evenkeel").map(({ threads }) => threads);
    return [...new Set(counts)].sort((a, b) => a - b);
  }
}

/** Three significant digits. */
export function short(value) {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 0.1 ? 2 : 3);
}

/** "1.35 (1.30 – 1.41)": a median with its quartiles. */
export function withSpread({ low, median, high }, scale = 1) {
  return `${short(median * scale)} (${short(low * scale)} – ${short(high * scale)})`;
}

const NAMES = {
  mlp: "MLP",
  cnn: "CNN",
  resnet20: "ResNet-20",
  both: "forward + backward",
  input: "input gradient",
  weight: "weight gradient",
};
const KINDS = { batch: "batch norm", layer: "layer norm", group: "group norm", instance: "instance norm" };

/** What a workload is, in words. */
export function label({ op, kind, pass, shape, n, name, out, model, batch }) {
  if (op === "norm") return `${KINDS[kind]}, ${NAMES[pass] ?? pass} [${shape.join(", ")}]`;
  if (op === "gemm") return `${n} × ${n} × ${n}`;
  if (op === "conv") return `${name}, ${NAMES[pass] ?? pass} [${shape.join(", ")}] → ${out}`;
  return `${NAMES[model]}, batch ${batch}`;
}
