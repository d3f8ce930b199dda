import type { Plan } from "./plan.ts";
import { apiOf } from "./plan.ts";

/** Simpler plans, the boldest first. */
function* simpler(plan: Plan): Generator<Plan> {
  const { steps, options, shape } = plan;
  if (steps.length > 1) {
    yield { ...plan, steps: steps.slice(-1) };
    yield { ...plan, steps: steps.slice(0, -1) };
    yield { ...plan, steps: steps.slice(1) };
  }
  for (const [d, size] of shape.entries()) {
    for (const smaller of new Set([1, 2, size >> 1, size - 1])) {
      if (smaller < 1 || smaller >= size) continue;
      const next = shape.map((other, at) => (at === d ? smaller : other));
      const dim = apiOf(plan).channelDim(shape.length);
      const channels = plan.channels === shape[dim] ? next[dim] : plan.channels;
      // groups have to divide the channels
      const own = /^group/i.test(plan.api) && channels % plan.own !== 0 ? 1 : plan.own;
      yield { ...plan, shape: next, channels, own };
    }
  }
  for (const key of Object.keys(options)) {
    const { [key]: _, ...rest } = options;
    if (!["training", "use_input_stats"].includes(key)) yield { ...plan, options: rest };
  }
  if (plan.layout !== "contiguous") yield { ...plan, layout: "contiguous" };
  if (plan.gradLayout !== "contiguous") yield { ...plan, gradLayout: "contiguous" };
  if (plan.loaded) yield { ...plan, loaded: false };
  if (plan.distribution !== "whole") yield { ...plan, distribution: "whole" };
  if (plan.distribution !== "whole" && plan.distribution !== "normal") yield { ...plan, distribution: "normal" };
}

/** The simplest plan found that still fails; every candidate is tried with a few seeds. */
export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let best = plan;
  for (let tries = 0, progress = true; progress && tries < 1000; ) {
    progress = false;
    for (const candidate of simpler(best)) {
      for (let seed = best.seed; seed < best.seed + 3 && !progress; seed++) {
        tries++;
        if (await fails({ ...candidate, seed })) {
          best = { ...candidate, seed };
          progress = true;
        }
      }
      if (progress) break;
    }
  }
  return best;
}
