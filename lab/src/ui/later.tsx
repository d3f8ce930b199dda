import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useText } from "../i18n.ts";

interface LaterProps {
  readonly load: () => Promise<{ default: ComponentType }>;
  /** the room that is kept for it, in pixels */
  readonly height: number;
}

/** A part of a page that comes after the words around it: what needs the library is loaded while they are read. */
export function Later({ load, height }: LaterProps) {
  const t = useText("shell");
  const [Part, setPart] = useState<ComponentType>();
  const [failed, setFailed] = useState<string>();
  useEffect(() => {
    load().then(
      ({ default: loaded }) => setPart(() => loaded),
      (error: Error) => setFailed(error.message),
    );
  }, [load]);
  if (failed) {
    return (
      <p class="notice" role="alert">
        {t("failed", { why: failed })}
      </p>
    );
  }
  return Part ? <Part /> : <div style={{ minHeight: height }} aria-busy="true" />;
}
