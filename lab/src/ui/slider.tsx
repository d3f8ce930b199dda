import { useId } from "preact/hooks";
import { show } from "../format.ts";
import { useText } from "../i18n.ts";

interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** on a logarithmic scale the step of the exponent (default 0.05) */
  readonly step?: number;
  readonly log?: boolean;
  readonly disabled?: boolean;
  /** what stands for the value beside the slider and to a screen reader; without it a number field that can be typed into */
  readonly format?: (value: number) => string;
  /** a few words under the slider */
  readonly hint?: string;
  readonly onInput: (value: number) => void;
}

/** A number to choose by dragging, with the arrow keys or by typing. */
export function Slider({ label, value, min, max, step, log = false, disabled, format, hint, onInput }: SliderProps) {
  const t = useText("shell");
  const id = useId();
  const toTrack = log ? Math.log10 : (x: number) => x;
  const fromTrack = (x: number) => (log ? Number((10 ** x).toPrecision(2)) : x);
  const clamp = (x: number) => Math.min(max, Math.max(min, x));
  const trackStep = step ?? (log ? 0.05 : (max - min) / 100);
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      {format ? (
        <output for={id}>{format(value)}</output>
      ) : (
        <input
          class="slider-number"
          type="number"
          aria-label={t("numberOf", { label })}
          value={value}
          min={min}
          max={max}
          step={log ? "any" : trackStep}
          disabled={disabled}
          onChange={(event) => {
            const typed = event.currentTarget.valueAsNumber;
            if (Number.isFinite(typed)) onInput(clamp(typed));
            else event.currentTarget.value = String(value);
          }}
        />
      )}
      <input
        id={id}
        type="range"
        min={toTrack(min)}
        max={toTrack(max)}
        step={trackStep}
        value={toTrack(value)}
        disabled={disabled}
        aria-valuetext={(format ?? show)(value)}
        style={{ "--part": `${((toTrack(value) - toTrack(min)) / (toTrack(max) - toTrack(min))) * 100}%` }}
        onInput={(event) => onInput(clamp(fromTrack(event.currentTarget.valueAsNumber)))}
      />
      {hint && <small class="hint">{hint}</small>}
    </div>
  );
}
