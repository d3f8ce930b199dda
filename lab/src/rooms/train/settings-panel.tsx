import { useEffect, useId, useState } from "preact/hooks";
import {
  BATCH_SIZES,
  LIMITS,
  NETWORKS,
  type NetworkName,
  type NormName,
  normsOf,
  OPTIMIZERS,
  type TrainSettings,
} from "../../engine/train/settings.ts";
import { show } from "../../format.ts";
import { useText } from "../../i18n.ts";
import { Button } from "../../ui/button.tsx";
import { Segmented } from "../../ui/segmented.tsx";
import { Slider } from "../../ui/slider.tsx";

interface PanelProps {
  readonly settings: TrainSettings;
  readonly onChange: (settings: TrainSettings) => void;
  readonly onDefaults: () => void;
}

const WIDE = "(min-width: 64rem)";

/** Everything that can be chosen. On a narrow page it is folded, and its summary says what is set. */
export function SettingsPanel({ settings, onChange, onDefaults }: PanelProps) {
  const t = useText("train");
  const [open, setOpen] = useState(() => matchMedia(WIDE).matches);
  useEffect(() => {
    const wide = matchMedia(WIDE);
    const listener = () => setOpen(wide.matches);
    wide.addEventListener("change", listener);
    return () => wide.removeEventListener("change", listener);
  }, []);
  const { network, norms, optimizer, lr, scale, batchSize, seed } = settings;
  const set = (change: Partial<TrainSettings>) => onChange({ ...settings, ...change });
  const chooseNetwork = (next: NetworkName) => {
    const known = normsOf(next);
    const keep = (norm: NormName, otherwise: NormName) => (known.includes(norm) ? norm : otherwise);
    set({ network: next, norms: [keep(norms[0], "none"), keep(norms[1], "batch")] });
  };
  return (
    <details class="card train-settings" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2 class="train-small-title">{t("set.title")}</h2>
        <span class="train-summary">
          {[
            t(`network.${network}`),
            `${t(`optimizer.${optimizer}`)} ${show(lr)}`,
            `${t("set.scale")} ${show(scale)}`,
            `${t("set.batch")} ${batchSize}`,
          ].join(" · ")}
        </span>
      </summary>
      <div class="train-fields">
        <Segmented
          label={t("set.network")}
          options={NETWORKS.map((value) => ({ value, label: t(`networkShort.${value}`) }))}
          value={network}
          onChange={chooseNetwork}
        />
        <p class="hint">{t(`networkHint.${network}`)}</p>
        <div class="train-norms">
          {([0, 1] as const).map((side) => (
            <NormSelect
              key={side}
              side={side}
              label={t(side === 0 ? "set.first" : "set.second")}
              value={norms[side]}
              options={normsOf(network)}
              onChange={(norm) => set({ norms: side === 0 ? [norm, norms[1]] : [norms[0], norm] })}
            />
          ))}
        </div>
        <Slider
          label={t("set.scale")}
          hint={t("set.scaleHint")}
          value={scale}
          min={LIMITS.scale[0]}
          max={LIMITS.scale[1]}
          log
          onInput={(value) => set({ scale: value })}
        />
        <Slider
          label={t("set.lr")}
          value={lr}
          min={LIMITS.lr[0]}
          max={LIMITS.lr[1]}
          log
          onInput={(value) => set({ lr: value })}
        />
        <Segmented
          label={t("set.optimizer")}
          options={OPTIMIZERS.map((value) => ({ value, label: t(`optimizer.${value}`) }))}
          value={optimizer}
          onChange={(value) => set({ optimizer: value })}
        />
        <Slider
          label={t("set.batch")}
          value={BATCH_SIZES.indexOf(batchSize as (typeof BATCH_SIZES)[number])}
          min={0}
          max={BATCH_SIZES.length - 1}
          step={1}
          format={(index) => String(BATCH_SIZES[index])}
          onInput={(index) => set({ batchSize: BATCH_SIZES[Math.round(index)] })}
        />
        <div class="train-seed">
          <SeedField value={seed} onChange={(value) => set({ seed: value })} />
          <Button onClick={onDefaults}>{t("set.defaults")}</Button>
        </div>
      </div>
    </details>
  );
}

interface NormSelectProps {
  readonly side: 0 | 1;
  readonly label: string;
  readonly value: NormName;
  readonly options: readonly NormName[];
  readonly onChange: (norm: NormName) => void;
}

function NormSelect({ side, label, value, options, onChange }: NormSelectProps) {
  const t = useText("train");
  const id = useId();
  return (
    <div class={`train-norm train-norm-${side === 0 ? "before" : "after"}`}>
      <label for={id}>
        <span class={`swatch swatch-${side === 0 ? "before" : "after"}`} aria-hidden="true" />
        {label}
      </label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value as NormName)}>
        {options.map((norm) => (
          <option key={norm} value={norm}>
            {t(norm === "none" ? "set.none" : `norm.${norm}`)}
          </option>
        ))}
      </select>
    </div>
  );
}

function SeedField({ value, onChange }: { value: number; onChange: (value: number) => void }) {
  const t = useText("train");
  const id = useId();
  return (
    <div class="train-seed-field">
      <label for={id}>{t("set.seed")}</label>
      <input
        id={id}
        class="slider-number"
        type="number"
        min={LIMITS.seed[0]}
        max={LIMITS.seed[1]}
        step={1}
        value={value}
        onChange={(event) => {
          const typed = event.currentTarget.valueAsNumber;
          if (Number.isInteger(typed) && typed >= LIMITS.seed[0] && typed <= LIMITS.seed[1]) onChange(typed);
          else event.currentTarget.value = String(value);
        }}
      />
    </div>
  );
}
