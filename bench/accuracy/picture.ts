import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { KINDS, type Kind, SWEEPS, type Sweep } from "./inputs.ts";
import { BACKENDS, type Results } from "./results.ts";

const WIDTH = 1100;
const ROW = 250;
const HEAD = 56;

const SERIES = { PyTorch: "#d1495b", reference: "#8a8f98", "wasm-base": "#30638e", "wasm-relaxed": "#003d5b" } as const;
const NAMES = {
  reference: "evenkeel, reference",
  "wasm-base": "evenkeel, wasm-base",
  "wasm-relaxed": "evenkeel, wasm-relaxed",
};

/** Errors of 0 stand on the floor, those that are not finite at the ceiling. */
const [FLOOR, CEILING] = [1e-8, 10];
const clamp = (error: number | null) => Math.min(CEILING, Math.max(FLOOR, error ?? CEILING));

interface Dot {
  kind: string;
  x: number;
  y: number;
  series: string;
}

function dots({ points }: Results, sweep: Sweep): Dot[] {
  // a logarithm has no 0
  const place = (value: number) => (sweep === "offset" && value === 0 ? 0.1 : value);
  return points
    .filter((point) => point.sweep === sweep)
    .flatMap((point) => {
      const at = { kind: KINDS[point.kind], x: place(point.value) };
      return [
        { ...at, y: clamp(point.torch.output), series: "PyTorch" },
        ...BACKENDS.map((backend) => ({ ...at, y: clamp(point[backend].output), series: backend })),
      ];
    });
}

const superscript = (n: number) => String(n).replace(/./g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"["0123456789".indexOf(digit)] ?? "⁻");
const power = (value: number) => (value === 1 ? "1" : `10${superscript(Math.round(Math.log10(value)))}`);

function row(results: Results, sweep: Sweep, document: Document, first: boolean): SVGElement {
  const data = dots(results, sweep);
  const of = (series: string) => data.filter((dot) => dot.series === series);
  const ticks = { offset: [0.1, 1, 1e2, 1e4, 1e6], scale: [1e-16, 1e-8, 1, 1e8, 1e16], length: [10, 1e3, 1e5, 1e7] };
  const options: Plot.PlotOptions = {
    document,
    width: WIDTH,
    height: ROW,
    marginLeft: 62,
    marginTop: first ? 34 : 14,
    marginBottom: 46,
    fx: { label: null, domain: Object.values(KINDS), axis: first ? "top" : null, padding: 0.16 },
    x: {
      type: "log",
      label: SWEEPS[sweep].label,
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: 38,
      ticks: ticks[sweep],
      tickFormat: (x: number) => (sweep === "offset" && x === 0.1 ? "0" : power(x)),
      tickSize: 3,
    },
    y: {
      type: "log",
      domain: [FLOOR, CEILING],
      ticks: [1e-8, 1e-6, 1e-4, 1e-2, 1],
      tickFormat: power,
      label: "error of the output",
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: 54,
      tickSize: 0,
    },
    marks: [
      Plot.gridY([1e-8, 1e-6, 1e-4, 1e-2, 1], { stroke: "#000", strokeOpacity: 0.09 }),
      // PyTorch's as a broad line beneath, so that equal curves are seen to be equal
      Plot.line(of("PyTorch"), {
        fx: "kind",
        x: "x",
        y: "y",
        stroke: SERIES.PyTorch,
        strokeWidth: 6,
        strokeOpacity: 0.45,
      }),
      ...BACKENDS.map((name, i) =>
        Plot.line(of(name), {
          fx: "kind",
          x: "x",
          y: "y",
          stroke: SERIES[name],
          strokeWidth: 1.6,
          strokeDasharray: i === 0 ? undefined : i === 1 ? "6 4" : "2 3",
        }),
      ),
      Plot.dot(of("wasm-relaxed"), { fx: "kind", x: "x", y: "y", fill: SERIES["wasm-relaxed"], r: 2.2 }),
    ],
  };
  const svg = Plot.plot(options) as unknown as SVGElement;
  svg.querySelector("style")?.remove();
  svg.setAttribute("font-size", "12");
  return svg;
}

/** All errors of the outputs as one picture: a row for what is varied, a column for each normalization. */
export async function picture(results: Results): Promise<string> {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const sweeps = Object.keys(SWEEPS) as Sweep[];
  const rows = sweeps.map((sweep, i) => {
    const svg = row(results, sweep, document as unknown as Document, i === 0);
    svg.setAttribute("x", "0");
    svg.setAttribute("y", String(HEAD + i * ROW));
    return svg.outerHTML;
  });
  const legend = [["PyTorch", `PyTorch ${results.torch}`], ...Object.entries(NAMES)].map(([key, text], i) => {
    const x = 62 + i * 190;
    const stroke = SERIES[key as keyof typeof SERIES];
    const [width, opacity] = key === "PyTorch" ? [6, 0.45] : [1.6, 1];
    const dash =
      key === "wasm-base" ? ' stroke-dasharray="6 4"' : key === "wasm-relaxed" ? ' stroke-dasharray="2 3"' : "";
    return `<line x1="${x}" x2="${x + 26}" y1="40" y2="40" stroke="${stroke}" stroke-width="${width}" stroke-opacity="${opacity}"${dash}/><text x="${x + 33}" y="44">${text}</text>`;
  });
  const height = HEAD + rows.length * ROW + 6;
  const kinds = Object.values(KINDS as Record<Kind, string>).join("; ");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#1a1a1a">
<title>Error of normalizations against float64</title>
<desc>Curves of the largest relative error of the output for ${kinds}, by mean, scale and length, evenkeel's three backends beside PyTorch's.</desc>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="62" y="21" font-size="15" font-weight="600">Largest error of the output against float64, relative to its largest element</text>
${legend.join("")}
${rows.join("\n").replace(/\d+\.\d{2,}(?=[^"<>]*")/g, (number) => String(Number(Number(number).toFixed(1))))}
</svg>
`;
}
