import { KINDS, type Kind, SWEEPS, type Sweep } from "./inputs.ts";
import { type Errors, isWorse, ours, type Point, type Results, theirs } from "./results.ts";

const kinds = Object.keys(KINDS) as Kind[];

const shown = (error: number) =>
  Number.isFinite(error) ? error.toExponential(1).replace("e-", "e−").replace("e+", "e") : "not finite";

function cell(point: Point, result: keyof Errors): string {
  const [a, b] = [ours(point, result), theirs(point, result)];
  return `${shown(a)} / ${shown(b)}${isWorse(point, result) ? " ⚠️" : ""}`;
}

function sweepTable({ points }: Results, sweep: Sweep, result: keyof Errors): string {
  const rows = SWEEPS[sweep].values.map((value) => {
    const cells = kinds.map((kind) => {
      const point = points.find((p) => p.kind === kind && p.sweep === sweep && p.value === value);
      return point ? cell(point, result) : "";
    });
    const name =
      value >= 1e4 || value < 1e-3 ? value.toExponential().replace("e+", "e").replace("e-", "e−") : String(value);
    return `| ${value === 0 ? 0 : name} | ${cells.join(" | ")} |`;
  });
  const head = `| ${SWEEPS[sweep].label} | ${kinds.map((kind) => KINDS[kind]).join(" | ")} |`;
  return [head, `|--:|${"---|".repeat(kinds.length)}`, ...rows].join("\n");
}

/** The page that tells the results, and how many of them are worse than PyTorch's. */
export function table(results: Results): { text: string; worse: number } {
  const worse = results.points.filter((point) => isWorse(point, "output") || isWorse(point, "gradInput")).length;
  const sections = (Object.keys(SWEEPS) as Sweep[]).map(
    (sweep) =>
      `## By ${SWEEPS[sweep].label}\n\nOutput:\n\n${sweepTable(results, sweep, "output")}\n\nGradient of the input:\n\n${sweepTable(results, sweep, "gradInput")}\n`,
  );
  const measured = (["output", "gradInput"] as const).flatMap((result) =>
    results.points.map((point) => ({ point, result })),
  );
  const far = measured.filter(({ point, result }) => isWorse(point, result, 1.5)).length;
  const larger = measured.filter(
    ({ point, result }) => ours(point, result) > theirs(point, result) && !isWorse(point, result),
  ).length;
  const better = results.points.filter((point) => theirs(point, "output") > 2 * ours(point, "output")).length;
  const text = `# Accuracy

The error of float32 normalizations against float64 with compensated sums, evenkeel's beside PyTorch ${results.torch}'s on the same inputs (CPU, one thread):
the largest difference of any element, relative to the largest element. Of evenkeel it is the largest of its three backends (reference,
wasm-base, wasm-relaxed). A float32 result cannot be nearer than 6.0e−8, half of its last bit.

![The errors as curves](images/accuracy.svg)

Of ${results.points.length} inputs evenkeel is less accurate than PyTorch on ${worse}, and more than twice as accurate on ${better}. Where both are within a last bit of each other (1.2e−7 of the largest
element) or within a hundredth, it is a tie: a few roundings of float32 come to that much, and the next random input may turn it round. In ${larger} of the ${2 * results.points.length} outputs and
gradients such a tie has evenkeel's error as the larger one${far > 0 ? `, and ${far} are larger by a factor of 1.5 and more than a last bit` : ""}. What is worse by more is marked ⚠️.

Contiguous batch norm and instance norm are PyTorch's to the bit, so their errors are the same. Down columns ([N, C]), in layer norm and in group norm evenkeel sums in float64, where PyTorch
sums in float32, and keeps what rounding the mean loses: the mean may be a million deviations, or two values lie next to each other, and the result still has all its digits.
Infinite and NaN results are shown as *not finite*: squares of numbers beyond 1.8e19 are no float32.

Unless varied, inputs are normal with mean 1 and deviation 1, 4096 values for a mean, eps 1e−5. Every cell is *evenkeel / PyTorch*. \`npm run bench:accuracy\` measures all of it again.

${sections.join("\n")}`;
  return { text, worse };
}
