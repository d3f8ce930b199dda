import type { Finding } from "evenkeel/tools";
import type { ModelReport } from "../../engine/model/open.ts";
import { useText } from "../../i18n.ts";
import { wordsOf } from "./words.ts";

interface FindingsProps {
  readonly findings: readonly Finding[];
  readonly texts: ModelReport["texts"];
  /** shows the layer that a finding is about */
  readonly onShow: (path: string) => void;
}

/** What is wrong, the worst first, each with its numbers and what to do. */
export function Findings({ findings, texts, onShow }: FindingsProps) {
  const t = useText("model");
  if (findings.length === 0) return <p class="model-healthy">{t("healthy")}</p>;
  return (
    <ul class="model-findings">
      {findings.map((finding) => {
        const { severity, path, code } = finding;
        const { title, problem, remedy } = wordsOf(finding, texts, t);
        return (
          <li key={`${code} ${path}`} class={`model-finding model-${severity}`} data-finding={code}>
            <p class="model-finding-head">
              <span class={`model-severity model-severity-${severity}`}>{t(`severity.${severity}`)}</span>
              <strong>{title}</strong>
              <button type="button" class="model-path" onClick={() => onShow(path)}>
                {path || t("wholeFile")}
              </button>
            </p>
            <p>{problem}</p>
            <p class="model-remedy">
              <span>{t("remedy")}</span> {remedy}
            </p>
          </li>
        );
      })}
    </ul>
  );
}
