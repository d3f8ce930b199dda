import { useEffect, useRef, useState } from "preact/hooks";
import { ACTIVATION_BINS, type Bins, GRADIENT_BINS } from "../../engine/train/histogram.ts";
import type { NetworkName } from "../../engine/train/settings.ts";
import { show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { color, useTheme } from "../../settings.ts";
import { Figure } from "../../ui/figure.tsx";
import { Segmented } from "../../ui/segmented.tsx";
import type { RunRecord } from "./record.ts";

type Kind = "activations" | "gradients";

interface StripsProps {
  readonly names: readonly [string, string];
  readonly record: RunRecord;
  readonly network: NetworkName;
}

/** Layers of each network that have a strip. */
const LAYERS: Record<Kind, Record<NetworkName, number>> = {
  activations: { "mlp-sigmoid": 3, "mlp-relu": 3, cnn: 4 },
  gradients: { "mlp-sigmoid": 4, "mlp-relu": 4, cnn: 5 },
};

/** Histograms of every layer over the steps, one network beside the other. */
export function Strips({ names, record, network }: StripsProps) {
  const t = useText("train");
  const [kind, setKind] = useState<Kind>("activations");
  const layers = LAYERS[kind][network];
  const bins = kind === "activations" ? ACTIVATION_BINS : GRADIENT_BINS;
  return (
    <>
      <div class="train-strips-choice">
        <Segmented
          quiet
          label={t("strips.kind")}
          options={(["activations", "gradients"] as const).map((value) => ({ value, label: t(`strips.${value}`) }))}
          value={kind}
          onChange={setKind}
        />
        <p class="hint">{t(`strips.${kind}Hint`)}</p>
      </div>
      <div class="train-strips">
        {([0, 1] as const).map((side) => (
          <div key={side} class="card train-strips-side">
            <h3>
              <span class={`swatch swatch-${side === 0 ? "before" : "after"}`} aria-hidden="true" />
              {names[side]}
            </h3>
            {Array.from({ length: layers }, (_, layer) => {
              const columns = record.watched.map(({ sides }) => sides[side]?.[kind][layer] ?? null);
              const last = columns.findLast((column) => column !== null);
              const title = t(layer === layers - 1 && kind === "gradients" ? "strips.output" : "strips.layer", {
                number: layer + 1,
              });
              return (
                <Figure
                  key={`${kind}${layer}`}
                  class="train-strip"
                  title={title}
                  description={describe(t, title, last ?? null, bins, kind)}
                >
                  <Strip
                    columns={columns}
                    bins={bins}
                    side={side}
                    moment={momentOf(record, side * layers + layer, 2 * layers)}
                  />
                </Figure>
              );
            })}
          </div>
        ))}
      </div>
    </>
  );
}

/** Changes when a strip has to be drawn again: while it trains, one strip at each update, since drawing all would cost frames. */
function momentOf({ version, latest }: RunRecord, place: number, strips: number): number {
  return latest?.playing ? Math.floor((version + place) / strips) * strips - place : version;
}

/** In words, where the middle half of the values lies. */
function describe(
  t: (key: string, values: Record<string, unknown>) => string,
  title: string,
  shares: Float32Array | null,
  { from, to, count }: Bins,
  kind: Kind,
): string {
  if (!shares) return t("strips.nothing", { title });
  const at = (share: number) => {
    let sum = 0;
    for (let b = 0; b < count; b++) {
      sum += shares[b];
      if (sum >= share) return from + ((b + 0.5) * (to - from)) / count;
    }
    return to;
  };
  const value = (share: number) => show(kind === "gradients" ? 10 ** at(share) : at(share), 2);
  return t("strips.said", { title, low: value(0.25), high: value(0.75) });
}

interface StripProps {
  readonly columns: readonly (Float32Array | null)[];
  readonly bins: Bins;
  readonly side: 0 | 1;
  readonly moment: number;
}

/** One layer's histograms, a column each: the more values, the darker. */
function Strip({ columns, bins, side, moment }: StripProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { theme } = useTheme();
  useEffect(
    () => draw(canvas.current!, columns, bins, color(side === 0 ? "--before" : "--after")),
    [moment, theme, bins, side],
  );
  return (
    <div class="train-strip-plot" aria-hidden="true">
      <canvas ref={canvas} />
      <div class="train-strip-axis">
        {bins === ACTIVATION_BINS ? (
          <>
            <span>{bins.to}</span>
            <span>0</span>
            <span>−{-bins.from}</span>
          </>
        ) : (
          <>
            <span>10</span>
            <span>
              10<sup>−4</sup>
            </span>
            <span>
              10<sup>−9</sup>
            </span>
          </>
        )}
      </div>
    </div>
  );
}

/** Red, green and blue of "#rrggbb". */
const channels = (hex: string) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));

/** Pixels from left to right, whatever the number of columns: a canvas of another size costs more than one drawn again. */
const WIDTH = 200;

function draw(canvas: HTMLCanvasElement, columns: StripProps["columns"], bins: Bins, hex: string): void {
  const { count } = bins;
  if (canvas.width !== WIDTH || canvas.height !== count) {
    canvas.width = WIDTH;
    canvas.height = count;
  }
  const image = new ImageData(WIDTH, count);
  const [red, green, blue] = channels(hex);
  for (let x = 0; x < WIDTH; x++) {
    const shares = columns[Math.floor((x * columns.length) / WIDTH)];
    if (!shares) continue;
    for (let b = 0; b < count; b++) {
      if (shares[b] === 0) continue;
      const at = 4 * ((count - 1 - b) * WIDTH + x);
      image.data[at] = red;
      image.data[at + 1] = green;
      image.data[at + 2] = blue;
      // A quarter of all values in one bin is as strong as it gets; the root lets thin tails be seen.
      image.data[at + 3] = 255 * Math.min(1, Math.sqrt(4 * shares[b]));
    }
  }
  canvas.getContext("2d")!.putImageData(image, 0, 0);
}
