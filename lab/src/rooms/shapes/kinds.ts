/** The normalizations that the room compares. */
export const KINDS = ["batch", "layer", "instance", "group", "rms"] as const;
export type Kind = (typeof KINDS)[number];

/** The largest tensor that is shown: samples, channels, height and width. */
export const MOST = { samples: 4, channels: 6, side: 3 } as const;
export const GROUPS = [1, 2, 3, 6] as const;

export interface ShapeSettings {
  readonly kind: Kind;
  readonly samples: number;
  /** height and width */
  readonly side: number;
  readonly groups: number;
}

/** A place in the tensor. */
export interface Cell {
  readonly n: number;
  readonly c: number;
  readonly h: number;
  readonly w: number;
}

/** Which statistics a place is normalized by: their row and column in the table of statistics. */
export function poolOf({ kind, groups }: ShapeSettings, { n, c }: Cell): { row: number; column: number } {
  switch (kind) {
    case "batch":
      return { row: 0, column: c };
    case "instance":
      return { row: n, column: c };
    case "group":
      return { row: n, column: Math.floor((c * groups) / MOST.channels) };
    default:
      return { row: n, column: 0 };
  }
}

/** How many places share statistics. */
export function poolSize({ kind, samples, side, groups }: ShapeSettings): number {
  const channels = { batch: 1, instance: 1, group: MOST.channels / groups, layer: MOST.channels, rms: MOST.channels }[
    kind
  ];
  return channels * side * side * (kind === "batch" ? samples : 1);
}

/** The places of a tensor in the order that its numbers lie in memory. */
export function cellsOf({ samples, side }: ShapeSettings): Cell[] {
  const cells: Cell[] = [];
  for (let n = 0; n < samples; n++)
    for (let c = 0; c < MOST.channels; c++)
      for (let h = 0; h < side; h++) for (let w = 0; w < side; w++) cells.push({ n, c, h, w });
  return cells;
}
