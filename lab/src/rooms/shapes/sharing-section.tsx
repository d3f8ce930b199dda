import { useMemo, useState } from "preact/hooks";
import { show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { Card } from "../../ui/card.tsx";
import { Figure } from "../../ui/figure.tsx";
import { Formula } from "../../ui/formula.tsx";
import { Section } from "../../ui/section.tsx";
import { Segmented } from "../../ui/segmented.tsx";
import { Slider } from "../../ui/slider.tsx";
import { Stat } from "../../ui/stat.tsx";
import { tex } from "../../ui/tex.ts";
import { type Normalized, normalize } from "./compute.ts";
import { type Cell, cellsOf, GROUPS, KINDS, MOST, poolOf, poolSize, type ShapeSettings } from "./kinds.ts";
import { StatisticsTable } from "./statistics-table.tsx";
import { TensorPicture, TILT, TURN } from "./tensor-picture.tsx";

interface SharingProps {
  readonly settings: ShapeSettings;
  readonly change: (part: Partial<ShapeSettings>) => void;
  readonly chosen: Cell;
  readonly choose: (cell: Cell) => void;
}

/** The tensor, which of its places are averaged together, and with what result. */
export function SharingSection({ settings, change, chosen, choose }: SharingProps) {
  const t = useText("shapes");
  const [view, setView] = useState({ turn: -24, tilt: 20 });
  const result = useMemo(() => normalize(settings), [settings]);
  const { kind, samples, side, groups } = settings;
  const name = t(`kinds.${kind}`);
  const position = chosen.h * side + chosen.w;
  return (
    <Section title={t("sharing.title")} text={t("sharing.text")}>
      <Card>
        <div class="kinds">
          <Segmented
            label={t("sharing.kind")}
            value={kind}
            options={KINDS.map((value) => ({ value, label: t(`kinds.${value}`) }))}
            onChange={(value) => change({ kind: value })}
          />
          {kind === "group" && (
            <Slider
              label={t("sharing.groups")}
              value={GROUPS.indexOf(groups as (typeof GROUPS)[number])}
              min={0}
              max={GROUPS.length - 1}
              step={1}
              format={(index) => String(GROUPS[index])}
              onInput={(index) => change({ groups: GROUPS[index] })}
            />
          )}
        </div>
        <p class="say">{t(`says.${kind}`, { count: poolSize(settings) })}</p>
        <Figure
          title={t("sharing.figure", { shape: `[${samples}, ${MOST.channels}, ${side}, ${side}]` })}
          interactive
          description={t("sharing.words", {
            name,
            count: poolSize(settings),
            all: samples * MOST.channels * side * side,
          })}
          caption={
            <span class="legend">
              <span class="swatch swatch-before" /> {t("sharing.cell")}
              <span class="swatch swatch-after" /> {t("sharing.pool")}
            </span>
          }
        >
          <TensorPicture
            settings={settings}
            values={result.x}
            chosen={chosen}
            view={view}
            onView={setView}
            onChoose={choose}
          />
        </Figure>
        <div class="controls under">
          <Slider
            label={t("sharing.turn")}
            value={Math.round(view.turn)}
            {...TURN}
            step={1}
            format={(value) => `${show(value)}°`}
            onInput={(turn) => setView({ ...view, turn })}
          />
          <Slider
            label={t("sharing.tilt")}
            value={Math.round(view.tilt)}
            {...TILT}
            step={1}
            format={(value) => `${value}°`}
            onInput={(tilt) => setView({ ...view, tilt })}
          />
          <Slider
            label={t("sharing.samples")}
            value={samples}
            min={1}
            max={MOST.samples}
            step={1}
            onInput={(n) => change({ samples: n })}
          />
          <Slider
            label={t("sharing.side")}
            value={side}
            min={1}
            max={MOST.side}
            step={1}
            format={(value) => `${value} × ${value}`}
            onInput={(value) => change({ side: value })}
          />
          <Slider
            label={t("sharing.n")}
            value={chosen.n + 1}
            min={1}
            max={samples}
            step={1}
            disabled={samples === 1}
            onInput={(n) => choose({ ...chosen, n: n - 1 })}
          />
          <Slider
            label={t("sharing.c")}
            value={chosen.c + 1}
            min={1}
            max={MOST.channels}
            step={1}
            onInput={(c) => choose({ ...chosen, c: c - 1 })}
          />
          <Slider
            label={t("sharing.hw")}
            value={position + 1}
            min={1}
            max={side * side}
            step={1}
            disabled={side === 1}
            format={() => `${chosen.h + 1}, ${chosen.w + 1}`}
            onInput={(at) => choose({ ...chosen, h: Math.floor((at - 1) / side), w: (at - 1) % side })}
          />
        </div>
      </Card>
      <Numbers settings={settings} chosen={chosen} result={result} />
    </Section>
  );
}

/** The statistics, and what they make of the chosen place. */
function Numbers({ settings, chosen, result }: { settings: ShapeSettings; chosen: Cell; result: Normalized }) {
  const t = useText("shapes");
  const { kind } = settings;
  const place = cellsOf(settings).findIndex(
    ({ n, c, h, w }) => n === chosen.n && c === chosen.c && h === chosen.h && w === chosen.w,
  );
  const pool = poolOf(settings, chosen);
  const x = result.x[place];
  const variance = result.variances[pool.row][pool.column];
  const mean = result.means[pool.row]?.[pool.column];
  const rowLabel = (row: number) => (kind === "batch" ? t("numbers.all") : `n = ${row + 1}`);
  const above = mean === undefined ? tex(x) : `${tex(x)}-${tex(mean, true)}`;
  const y = result.y?.[place];
  return (
    <div class="pair numbers-below">
      <Card>
        <h3>{t("numbers.statistics", { shape: `[${result.shape.join(", ")}]` })}</h3>
        {mean !== undefined && (
          <StatisticsTable
            name="means"
            caption={t("numbers.mean")}
            values={result.means}
            chosen={pool}
            rowLabel={rowLabel}
          />
        )}
        <StatisticsTable
          name="variances"
          caption={t(mean === undefined ? "numbers.squares" : "numbers.variance")}
          values={result.variances}
          chosen={pool}
          rowLabel={rowLabel}
        />
      </Card>
      <Card>
        <h3>{t("numbers.cell")}</h3>
        <pre class="code">{result.layer}</pre>
        {y === undefined ? (
          <p class="notice notice-bad quoted" role="alert" data-stat="error">
            {result.error}
          </p>
        ) : (
          <>
            <Formula
              block
              tex={`y=\\dfrac{${mean === undefined ? "x" : "x-\\mu"}}{\\sqrt{${mean === undefined ? "\\overline{x^2}" : "\\sigma^2"}+\\epsilon}}=\\dfrac{${above}}{\\sqrt{${tex(variance)}+10^{-5}}}=${tex(y)}`}
            />
            <dl class="stats">
              <Stat name="x" mark="before" label="x" value={show(x, 5)} />
              <Stat name="y" mark="after" label="y" value={show(y, 5)} />
              <Stat name="pool" label={t("numbers.pool")} value={String(poolSize(settings))} />
            </dl>
          </>
        )}
      </Card>
    </div>
  );
}
