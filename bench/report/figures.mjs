import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { label } from "./numbers.mjs";

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** Paper, ink and a colour a library; told apart by their marks too. */
const INK = "#1d2430";
const LANES = {
  torch: { color: "#b3261e", symbol: "circle", name: "PyTorch, contiguous" },
  "torch-last": { color: "#d97706", symbol: "square", name: "PyTorch, channels-last" },
  "tfjs-wasm": { color: "#2563eb", symbol: "diamond", name: "TensorFlow.js wasm" },
  "tfjs-cpu": { color: "#7dabf5", symbol: "cross", name: "TensorFlow.js cpu" },
  jax: { color: "#7c3aed", symbol: "triangle", name: "jax-js wasm" },
  evenkeel: { color: "#0f766e", symbol: "star", name: "evenkeel" },
};

const kindOf = (lane) => lane.replace(/-\d+/, "");

/** A picture for itself: its own paper and letters, a title and a description for those who do not see it. */
function standalone(options, title, description) {
  const root = Plot.plot({ ...options, document, style: { background: "#fff", color: INK } });
  root.querySelector("style")?.remove();
  root.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  root.setAttribute("font-family", "system-ui, sans-serif");
  root.setAttribute("font-size", "12");
  root.setAttribute("role", "img");
  root.setAttribute("style", `background:#fff;color:${INK}`);
  for (const [name, text] of [
    ["desc", description],
    ["title", title],
  ]) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    element.textContent = text;
    root.insertBefore(element, root.firstChild);
  }
  return root.outerHTML.replace(/\d+\.\d{2,}(?=[^"<>]*")/g, (number) => String(Number(Number(number).toFixed(1))));
}

/** Names of the lanes, drawn inside the plot: a legend of Plot's own would be HTML. */
function legend(kinds, width, top) {
  const step = width / Math.max(kinds.length, 4);
  return kinds.flatMap((kind, i) => [
    Plot.dot([0], {
      x: null,
      y: null,
      frameAnchor: "top-left",
      dx: i * step + 6,
      dy: -top,
      symbol: LANES[kind].symbol,
      fill: LANES[kind].color,
      r: 5,
    }),
    Plot.text([LANES[kind].name], {
      frameAnchor: "top-left",
      dx: i * step + 16,
      dy: -top,
      textAnchor: "start",
      fill: INK,
      lineAnchor: "middle",
    }),
  ]);
}

/** For each workload how many times longer each other library takes, with quartiles; the line at 1 is evenkeel. */
export function ratioFigure(numbers, workloads, threads, title) {
  const points = workloads.flatMap((workload) =>
    numbers.results.lanes.flatMap((lane) => {
      if (lane.peer === "evenkeel" || lane.peer === "limits" || lane.threads !== threads) return [];
      const found = numbers.ratio(workload, lane.id, `evenkeel-${threads}`);
      return found ? [{ row: label(workload), kind: kindOf(lane.id), ...found }] : [];
    }),
  );
  const kinds = Object.keys(LANES).filter((kind) => points.some((point) => point.kind === kind));
  const rows = workloads.map(label);
  const values = points.flatMap(({ low, high }) => [low, high]);
  const domain = [Math.min(0.5, ...values) * 0.9, Math.max(2, ...values) * 1.1];
  const marks = kinds.flatMap((kind) => {
    const its = points.filter((point) => point.kind === kind);
    const { color, symbol } = LANES[kind];
    return [
      Plot.link(its, { x1: "low", x2: "high", y1: "row", y2: "row", stroke: color, strokeWidth: 2 }),
      Plot.dot(its, { x: "median", y: "row", fill: color, symbol, r: 5 }),
    ];
  });
  const options = {
    width: 900,
    height: 90 + 22 * rows.length,
    marginLeft: 330,
    marginTop: 40,
    marginBottom: 40,
    x: {
      type: "log",
      domain,
      grid: true,
      label: "times longer than evenkeel →",
      labelAnchor: "center",
      tickFormat: (v) =>
        String(v).match(/^0*\.?0*[125]0*$/) || [1, 2, 5].includes(Number(String(v).replace(/[0.]/g, "")))
          ? `${v}×`
          : "",
    },
    y: { domain: rows, label: null },
    marks: [Plot.ruleX([1], { stroke: INK, strokeWidth: 1.5 }), ...marks, ...legend(kinds, 540, 22)],
  };
  const word = points.map(({ row, kind, median }) => `${row}: ${LANES[kind].name} ${median.toFixed(2)}×`).join("; ");
  return standalone(options, title, word);
}

/** Nanoseconds an element as one size grows, a panel for each; the fewer the better. */
export function scalingFigure(numbers, workloads, title) {
  const count = ({ op, shape, batch }) => (op === "norm" ? shape.reduce((a, b) => a * b, 1) : batch);
  const points = workloads.flatMap((workload) =>
    ["evenkeel-1", "torch-1", "torch-1-last"].flatMap((lane) => {
      const found = numbers.spread(workload, lane);
      return found
        ? [{ kind: kindOf(lane), axis: workload.axis, elements: count(workload), ns: found.median / count(workload) }]
        : [];
    }),
  );
  const kinds = Object.keys(LANES).filter((kind) => points.some((point) => point.kind === kind));
  const marks = kinds.flatMap((kind) => {
    const its = points.filter((point) => point.kind === kind);
    const { color, symbol } = LANES[kind];
    return [
      Plot.line(its, { fx: "axis", x: "elements", y: "ns", stroke: color, strokeWidth: 2 }),
      Plot.dot(its, { fx: "axis", x: "elements", y: "ns", fill: color, symbol, r: 4 }),
    ];
  });
  const options = {
    width: 900,
    height: 320,
    marginLeft: 50,
    marginTop: 60,
    marginBottom: 45,
    fx: { label: null, padding: 0.08 },
    x: { type: "log", ticks: 4, tickFormat: "~s", grid: true, label: "elements of the tensor →" },
    y: { type: "log", grid: true, label: "ns an element", ticks: 5, tickFormat: "~r", labelArrow: "none" },
    marks,
  };
  const word = points
    .map(({ axis, kind, elements, ns }) => `${axis}, ${elements} elements, ${LANES[kind].name}: ${ns.toFixed(2)} ns`)
    .join("; ");
  return { svg: standalone(options, title, word), kinds: kinds.map((kind) => LANES[kind]) };
}
