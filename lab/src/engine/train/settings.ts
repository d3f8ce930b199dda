/** Networks that can be trained. */
export const NETWORKS = ["mlp-sigmoid", "mlp-relu", "cnn"] as const;
/** What they can be normalized with. */
export const NORMS = ["none", "batch", "layer", "group", "instance", "rms"] as const;
export const OPTIMIZERS = ["sgd", "momentum", "adam"] as const;
export const BATCH_SIZES = [2, 4, 8, 16, 32, 64, 128, 256] as const;

export type NetworkName = (typeof NETWORKS)[number];
export type NormName = (typeof NORMS)[number];
export type OptimizerName = (typeof OPTIMIZERS)[number];

/** Everything that decides the numbers of a run: two networks that differ in their normalization alone. */
export interface TrainSettings {
  readonly network: NetworkName;
  /** of the first and of the second network */
  readonly norms: readonly [NormName, NormName];
  readonly optimizer: OptimizerName;
  readonly lr: number;
  /** weights are drawn from N(0, (scale · gain / √fan_in)²) */
  readonly scale: number;
  readonly batchSize: number;
  readonly seed: number;
}

/** Ranges of the numbers that can be chosen. */
export const LIMITS = { lr: [1e-4, 10], scale: [0.01, 30], seed: [0, 999_999] } as const;

export const DEFAULTS: TrainSettings = {
  network: "mlp-relu",
  norms: ["none", "batch"],
  optimizer: "sgd",
  lr: 0.1,
  scale: 0.1,
  batchSize: 64,
  seed: 1,
};

/** Norms that a network can have: instance norm needs positions to average over. */
export function normsOf(network: NetworkName): readonly NormName[] {
  return network === "cnn" ? NORMS : NORMS.filter((norm) => norm !== "instance");
}

/** The settings as a link carries them. What is as by default is left out. */
export function toQuery(settings: TrainSettings): string {
  const query = new URLSearchParams();
  const flat = (s: TrainSettings) => ({
    net: s.network,
    a: s.norms[0],
    b: s.norms[1],
    opt: s.optimizer,
    lr: String(s.lr),
    w: String(s.scale),
    batch: String(s.batchSize),
    seed: String(s.seed),
  });
  const defaults = flat(DEFAULTS);
  for (const [name, value] of Object.entries(flat(settings))) {
    if (value !== defaults[name as keyof typeof defaults]) query.set(name, value);
  }
  return query.toString();
}

/** The settings of a link; what it lacks, or what is no setting, is as by default. */
export function fromQuery(text: string): TrainSettings {
  const query = new URLSearchParams(text);
  const oneOf = <T extends string>(name: string, values: readonly T[], otherwise: T): T =>
    values.find((value) => value === query.get(name)) ?? otherwise;
  const number = (name: string, [from, to]: readonly [number, number], otherwise: number): number => {
    const value = Number(query.get(name) || Number.NaN);
    return value >= from && value <= to ? value : otherwise;
  };
  const network = oneOf("net", NETWORKS, DEFAULTS.network);
  const norms = normsOf(network);
  const batch = Number(query.get("batch"));
  return {
    network,
    norms: [oneOf("a", norms, DEFAULTS.norms[0]), oneOf("b", norms, DEFAULTS.norms[1])],
    optimizer: oneOf("opt", OPTIMIZERS, DEFAULTS.optimizer),
    lr: number("lr", LIMITS.lr, DEFAULTS.lr),
    scale: number("w", LIMITS.scale, DEFAULTS.scale),
    batchSize: BATCH_SIZES.find((size) => size === batch) ?? DEFAULTS.batchSize,
    seed: Math.trunc(number("seed", LIMITS.seed, DEFAULTS.seed)),
  };
}
