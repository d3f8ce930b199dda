import { useText } from "../../i18n.ts";
import { Formula } from "../../ui/formula.tsx";
import { tex } from "../../ui/tex.ts";
import type { LayerSettings, Steps } from "./batch.ts";

interface FormulasProps {
  readonly steps: Steps;
  readonly settings: LayerSettings;
  readonly followed: number;
  readonly reached: number;
}

/** The three steps with the numbers of the followed example in them. */
export function Formulas({ steps, settings, followed, reached }: FormulasProps) {
  const t = useText("layer");
  const { gamma, beta, eps } = settings;
  const i = followed + 1;
  const [x, normalized, scaled, y] = [steps.x, steps.normalized, steps.scaled, steps.y].map((row) => row[followed]);
  const parts = [
    {
      key: "normalize",
      lines: [
        `\\mu=\\tfrac1N\\textstyle\\sum_i x_i=${tex(steps.mean)}\\qquad\\sigma^2=${tex(steps.variance)}`,
        `\\hat x_{${i}}=\\dfrac{x_{${i}}-\\mu}{\\sqrt{\\sigma^2+\\epsilon}}=\\dfrac{${tex(x)}-${tex(steps.mean, true)}}{\\sqrt{${tex(steps.variance)}+${tex(eps)}}}=${tex(normalized)}`,
      ],
    },
    {
      key: "scale",
      lines: [`\\gamma\\,\\hat x_{${i}}=${tex(gamma)}\\cdot${tex(normalized, true)}=${tex(scaled)}`],
    },
    { key: "shift", lines: [`y_{${i}}=\\gamma\\,\\hat x_{${i}}+\\beta=${tex(scaled)}+${tex(beta, true)}=${tex(y)}`] },
  ] as const;
  return (
    <ol class="steps">
      {parts.map(({ key, lines }, step) => (
        <li key={key} class={step < reached ? "step" : "step step-later"}>
          <h3>{t(`steps.${key}`)}</h3>
          <p>{t(`steps.${key}Text`)}</p>
          {lines.map((line) => (
            <Formula key={line.slice(0, 6)} tex={line} block />
          ))}
        </li>
      ))}
    </ol>
  );
}
