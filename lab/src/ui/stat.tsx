import type { ComponentChildren } from "preact";

interface StatProps {
  readonly label: ComponentChildren;
  readonly value: string;
  readonly mark?: "before" | "after" | "running" | "bad";
  /** a name by which a test finds it */
  readonly name?: string;
}

/** One number with its name. Several stand in <dl class="stats">. */
export function Stat({ label, value, mark, name }: StatProps) {
  return (
    <div class="stat">
      <dt>{label}</dt>
      <dd class={mark && `is-${mark}`} data-stat={name}>
        {value}
      </dd>
    </div>
  );
}
