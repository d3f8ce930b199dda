import type { Collective } from "../ops/norm/index.ts";

export type { Collective };

let everybody: Collective | null = null;

/** The processes that train together, or null where this one is alone: what synchronized batch norm uses unless it is given others. */
export function defaultCollective(): Collective | null {
  return everybody;
}

/**
 * Sets who trains together; `distributed` does it when the processes have found each other.
 * @internal
 */
export function setDefaultCollective(collective: Collective | null): void {
  everybody = collective;
}
