import type { FileFailure } from "../../engine/model/failure.ts";
import { useText } from "../../i18n.ts";

/** Why a file cannot be shown, and what to do. */
export function Failure({ failure }: { failure: FileFailure }) {
  const t = useText("model");
  const { kind, file, problem, place } = failure;
  return (
    <div class="notice notice-bad model-failure" role="alert" data-failure={kind}>
      <h2>{t(`failure.${kind}.title`)}</h2>
      <p>
        <strong>{file}</strong> · {t(`failure.${kind}.what`)}
      </p>
      <p>{t(`failure.${kind}.todo`)}</p>
      <details>
        <summary>{t("failure.details")}</summary>
        <code lang="en">
          {place && `${place}: `}
          {problem}
        </code>
      </details>
    </div>
  );
}
