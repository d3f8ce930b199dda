import { scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";
import { useMemo } from "preact/hooks";
import { show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { AxisX, AxisY } from "../../ui/axis.tsx";
import { Card } from "../../ui/card.tsx";
import { Figure } from "../../ui/figure.tsx";
import { Section } from "../../ui/section.tsx";
import { useWidth } from "../../ui/use-size.ts";
import { normalize, straying } from "./compute.ts";
import type { ShapeSettings } from "./kinds.ts";

const SIZES = [1, 2, 4, 8, 16, 32, 64];
/** Positions of a 3 × 3 channel. */
const POSITIONS = 9;
const HEIGHT = 220;

/** What happens to batch norm when the batch gets small: its mean strays, and at last there is none. */
export function SmallSection({ settings }: { settings: ShapeSettings }) {
  const t = useText("shapes");
  const strays = useMemo(() => straying(SIZES, POSITIONS), []);
  const errors = useMemo(
    () =>
      (["batch", "instance"] as const).map((kind) => ({
        kind,
        error: normalize({ ...settings, kind, samples: 1, side: 1 }).error,
      })),
    [settings],
  );
  return (
    <Section title={t("small.title")} text={t("small.text")}>
      <div class="beside-figure">
        <Figure
          title={t("small.figure")}
          description={t("small.words", { one: show(strays[0], 2), many: show(strays[strays.length - 1], 2) })}
          caption={t("small.caption")}
        >
          <StrayingPicture strays={strays} xLabel={t("small.size")} />
        </Figure>
        <Card>
          <h3>{t("small.breaks")}</h3>
          {errors.map(({ kind, error }) => (
            <div key={kind} class="broken">
              <p>{t(`small.${kind}`)}</p>
              <p class="notice notice-bad quoted" data-stat={`small-${kind}`}>
                {error}
              </p>
            </div>
          ))}
          <p>{t("small.instead")}</p>
        </Card>
      </div>
    </Section>
  );
}

function StrayingPicture({ strays, xLabel }: { strays: readonly number[]; xLabel: string }) {
  const [place, width] = useWidth<HTMLDivElement>();
  const x = scaleLog([1, 64], [40, Math.max(41, width - 10)]);
  const y = scaleLinear([0, 0.4], [HEIGHT, 10]);
  const path = line<number>(
    (_, i) => x(SIZES[i]),
    (value) => y(value),
  );
  return (
    <div ref={place}>
      {width > 0 && (
        <svg class="drawing" width={width} height={HEIGHT + 38} aria-hidden="true">
          <AxisY scale={y} at={40} ticks={4} gridTo={x.range()[1]} />
          <AxisX scale={x} at={HEIGHT} ticks={SIZES} label={xLabel} />
          <path class="straying" d={path(strays) ?? ""} />
          {strays.map((value, i) => (
            <circle key={SIZES[i]} class="straying-dot" r="5" cx={x(SIZES[i])} cy={y(value)} />
          ))}
        </svg>
      )}
    </div>
  );
}
