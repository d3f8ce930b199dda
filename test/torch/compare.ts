import { type Exact, errorOf, HALF_BIT, isAsExact, isClose, LIMITS, measure, ROUNDINGS } from "../nn/norm-rule.ts";
import { type Dtype, isReduced, type Outcome, type Truth, type Values } from "./case.ts";
import { apiOf, type Plan } from "./plan.ts";

/** same bits, within the limit, as exact as PyTorch, or not */
export type Verdict = "same" | "close" | "exact" | "differs";

/** One result of one step beside PyTorch's. */
export interface Finding {
  /** such as "step 2: gradInput" */
  readonly what: string;
  /** output, gradInput … of an API that has to be exact or not: largest differences are told by it */
  readonly kind: string;
  /** of the largest element */
  readonly relative: number;
  readonly verdict: Verdict;
  /** errors against the exact result, where they decided: of the largest element, and ours beyond PyTorch's in half last bits of the term */
  readonly errors?: { readonly ours: number; readonly theirs: number; readonly beyond: number };
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
  // local response norm takes no view that is not contiguous
  /^view size is not compatible with input tensor's size and stride/,
  // group norm prints the weight's shape for the bias's
  /but got bias of shape \[0\]/,
  /match num_features \(0\)/,
];

/** What PyTorch's CPU kernels do not compute in float16 or bfloat16: there ours is only held against the exact result. */
const NOT_COMPUTED =
  /not implemented for '(Half|BFloat16)'|^expected scalar type (Half|BFloat16) but found Float|^mixed dtype \(CPU\)/;

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

/** What rounds beyond the largest float16 is infinite. */
function inFloat16({ high, term }: Exact): Exact {
  return {
    high: Array.from(high, (x) => (Math.abs(Number(x)) < 65520 ? Number(x) : Number(x) * Number.POSITIVE_INFINITY)),
    term,
  };
}

/** A result from float16 or bfloat16 input has to be the exact one, computed in float32 and rounded once. */
function judgeReduced(
  dtype: Dtype,
  name: string,
  what: string,
  ours: Values,
  theirs: Values | undefined,
  truth: Truth,
): Finding {
  const exact = ours.dtype === "float16" ? inFloat16(truth[name]) : truth[name];
  const { largest } = measure(exact.high, exact.high);
  const error = errorOf(ours.data, exact);
  const [u, kind] = [HALF_BIT.float32, `${name}, ${dtype}`];
  const rounding = isReduced(ours.dtype) ? HALF_BIT[ours.dtype] * largest + 2 ** -25 : 0;
  // what is float32 all the same, parameters' gradients and statistics, may be within its limits too
  const limit = isReduced(ours.dtype) ? 0 : LIMITS.float32[name.startsWith("grad") ? "gradient" : "forward"];
  const { difference } = theirs ? measure(ours.data, theirs.data) : { difference: Number.NaN };
  const right = difference === 0 || error <= Math.max(rounding + ROUNDINGS * u * exact.term, limit * largest);
  const errors = {
    ours: error / largest,
    theirs: theirs ? errorOf(theirs.data, exact) / largest : Number.NaN,
    beyond: (error - rounding) / (u * exact.term),
  };
  const detail = right ? undefined : `off by ${errors.ours.toExponential(1)} of the largest element`;
  return { what, kind, relative: difference / largest || 0, verdict: right ? "exact" : "differs", errors, detail };
}

/** Judges every result of a case. The exact results are only asked for where they decide. */
export async function compare(
  plan: Plan,
  theirs: Outcome,
  ours: Outcome,
  exactly: () => Promise<readonly Truth[]>,
): Promise<Finding[]> {
  const reduced = isReduced(plan.dtype);
  const alone = reduced && theirs.error !== null && NOT_COMPUTED.test(theirs.error);
  // an error of ours may come behind the step at which PyTorch gave up
  const findings = alone ? [] : compareErrors(theirs.error, ours.error);
  if ((theirs.error !== null && !alone) || ours.error !== null) return findings;
  const api = apiOf(plan);
  const mayBeExact = plan.dtype === "float32" && plan.layout === "contiguous";
  for (const [i, found] of ours.steps.entries()) {
    const expected = theirs.steps[i] ?? {};
    for (const name of new Set([...(alone ? [] : Object.keys(expected)), ...Object.keys(found)])) {
      const what = `step ${i + 1}: ${name}`;
      const [a, b] = [found[name], expected[name]];
      if (!a || (!b && !alone) || (b && (a.dtype !== b.dtype || String(a.shape) !== String(b.shape)))) {
        const shown = (v?: Values) => (v ? `${v.dtype} [${v.shape.join(", ")}]` : "nothing");
        const detail = `PyTorch: ${shown(b)}\nevenkeel: ${shown(a)}`;
        findings.push({ what, kind: name, relative: Number.POSITIVE_INFINITY, verdict: "differs", detail });
        continue;
      }
      if (reduced && a.dtype !== "int64") {
        findings.push(judgeReduced(plan.dtype, name, what, a, b, (await exactly())[i]));
        continue;
      }
      if (!b) continue;
      const dtype = plan.dtype as keyof typeof LIMITS;
      const exact = b.dtype === "int64" || (mayBeExact && api.exact?.(plan.shape, name, plan.steps[i]));
      const limit = exact ? 0 : LIMITS[dtype][/^(grad|twice)/.test(name) ? "gradient" : "forward"];
      const measured = measure(a.data, b.data);
      const { difference, largest } = measured;
      const kind = `${name}, ${plan.dtype}${limit === 0 ? ", to the bit" : ""}`;
      const finding = { what, kind, relative: difference === 0 ? 0 : difference / largest };
      if (isClose(measured, limit, dtype)) findings.push({ ...finding, verdict: difference === 0 ? "same" : "close" });
      else if (limit === 0) findings.push({ ...finding, verdict: "differs", detail: worst(b, a) });
      else {
        const truth = (await exactly())[i][name];
        const verdict = isAsExact(a.data, b.data, truth, dtype) ? "exact" : "differs";
        const [own, other] = [errorOf(a.data, truth), errorOf(b.data, truth)];
        const size = measure(truth.high, truth.high).largest;
        const beyond = (own - other) / (HALF_BIT[dtype] * truth.term);
        const errors = { ours: own / size, theirs: other / size, beyond };
        const detail = `${worst(b, a)}; against the exact result ${own.toExponential(1)} beside PyTorch's ${other.toExponential(1)}`;
        findings.push({ ...finding, verdict, errors, detail: verdict === "differs" ? detail : undefined });
      }
    }
  }
  return findings;
}
