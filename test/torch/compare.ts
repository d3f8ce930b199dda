import { judge, LIMITS, largestTerms, measure, type Verdict } from "../nn/norm-rule.ts";
import type { Case, Outcome, Values } from "./case.ts";
import { apiOf, type Plan } from "./plan.ts";

/** One result of one step beside PyTorch's. */
export interface Finding {
  /** such as "step 2: gradInput" */
  readonly what: string;
  /** output, gradInput … of an API that has to be exact or not: largest differences are told by it */
  readonly kind: string;
  /** of the largest element */
  readonly relative: number;
  readonly verdict: Verdict;
  /** where it differs: what was expected and what was found */
  readonly detail?: string;
}

/** Sentences of PyTorch 2.x where 1.13 has another one, or none and computes nothing sensible. */
const NEWER_SENTENCES: readonly RegExp[] = [
  /expected input's size at dim=\d to match num_features/,
  // 1.13 reads beyond the shape
  /^expected at least 2D input \(got [01]D input\)/,
  /^Expected at least 2 dimensions for input tensor but received [01]/,
];

/** Where PyTorch 1.13 fails in the middle: group norm's backward with a bias but no weight, no channels, lazy layers of the wrong rank; and 2.x at loaded lazy layers. */
const FAULTS: readonly RegExp[] = [
  /^tensor does not have a device/,
  /^select\(\): index 0 out of range for tensor of size \[0\]/,
  /^tuple index out of range/,
  // group norm prints the weight's shape for the bias's
  /but got bias of shape \[0\]/,
  /match num_features \(0\)/,
];

/** The sentences agree if PyTorch's first one is in ours. */
function compareErrors(theirs: string | null, ours: string | null): Finding[] {
  if (theirs === null && ours === null) return [];
  if (theirs !== null && FAULTS.some((fault) => fault.test(theirs))) return [];
  // 2.13 says how many: num_channels (13) must be divisible by num_groups (12)
  const sentence = theirs
    ?.split("\n")[0]
    .replace(/\.$/, "")
    .replace(/(num_\w+) \(\d+\)/g, "$1");
  const known = ours !== null && NEWER_SENTENCES.some((newer) => newer.test(ours));
  const same = ours !== null && (known || (sentence !== undefined && ours.includes(sentence)));
  const detail = `PyTorch: ${theirs ?? "no error"}\nevenkeel: ${ours ?? "no error"}`;
  return [{ what: "error", kind: "error", relative: 0, verdict: same ? "same" : "differs", detail }];
}

/** The first place where two results lie the farthest apart. */
function worst(theirs: Values, ours: Values): string {
  let at = 0;
  let most = -1;
  for (let i = 0; i < theirs.data.length; i++) {
    const [a, b] = [Number(ours.data[i]), Number(theirs.data[i])];
    const distance = Object.is(a, b) || a === b ? -1 : Math.abs(a - b);
    if (Number.isNaN(distance) || distance > most) {
      [at, most] = [i, distance];
      if (Number.isNaN(distance)) break;
    }
  }
  return `element ${at}: PyTorch ${theirs.data[at]}, evenkeel ${ours.data[at]}`;
}

/** Computed when it is first asked for. */
function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** Judges every result of a case. */
export function compare(plan: Plan, item: Case, theirs: Outcome, ours: Outcome): Finding[] {
  const findings = compareErrors(theirs.error, ours.error);
  if (theirs.error !== null || ours.error !== null) return findings;
  const api = apiOf(plan);
  const mayBeExact = plan.dtype === "float32" && plan.layout === "contiguous";
  const limits = LIMITS[plan.dtype];
  // Running statistics carry the rounding of all steps before.
  const carried: Record<string, number> = {};
  for (const [i, expected] of theirs.steps.entries()) {
    const found = ours.steps[i];
    const { input, gradOutput, training } = item.steps[i];
    const terms = lazily(() => {
      if (api.terms) return api.terms(plan, item.steps[i]);
      if (!api.view || !api.perWeight) return {};
      // In evaluation the running statistics are the fixed ones; the step did not change them.
      const { runningMean, runningVar } = expected;
      const fixed =
        !training && runningMean
          ? { mean: runningMean.data, variance: runningVar.data, varianceTerm: carried.runningVar }
          : undefined;
      return largestTerms(
        {
          input: input.data,
          gradOutput: gradOutput.data,
          view: api.view(plan),
          perWeight: api.perWeight(plan),
          eps: (plan.options.eps ?? api.eps?.(plan.dtype) ?? 1e-5) as number,
          weight: item.state.weight?.data,
          uncentred: api.uncentred,
          fixed,
        },
        plan.dtype,
      );
    });
    const termOf = (name: string) => Math.max(terms()[name] ?? 0, carried[name] ?? 0);
    for (const name of new Set([...Object.keys(expected), ...Object.keys(found)])) {
      const what = `step ${i + 1}: ${name}`;
      const [a, b] = [found[name], expected[name]];
      if (!a || !b || a.dtype !== b.dtype || String(a.shape) !== String(b.shape)) {
        const shown = (v?: Values) => (v ? `${v.dtype} [${v.shape.join(", ")}]` : "nothing");
        const detail = `PyTorch: ${shown(b)}\nevenkeel: ${shown(a)}`;
        findings.push({ what, kind: name, relative: Number.POSITIVE_INFINITY, verdict: "differs", detail });
        continue;
      }
      const exact = b.dtype === "int64" || (mayBeExact && api.exact?.(plan.shape, name, training));
      const limit = exact ? 0 : name.startsWith("grad") ? limits.gradient : limits.forward;
      const measured = measure(a.data, b.data);
      const verdict = judge(measured, limit, plan.dtype, () => termOf(name));
      const relative = measured.difference === 0 ? 0 : measured.difference / measured.largest;
      const kind = `${name}, ${plan.dtype}${limit === 0 ? ", to the bit" : ""}`;
      findings.push({ what, kind, relative, verdict, detail: verdict === "differs" ? worst(b, a) : undefined });
    }
    for (const name of expected.runningVar ? ["runningMean", "runningVar"] : []) carried[name] = termOf(name);
  }
  return findings;
}
