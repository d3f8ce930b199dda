import type { ComponentChildren } from "preact";

/** A surface that holds what belongs together. */
export function Card({ children, class: more = "" }: { children: ComponentChildren; class?: string }) {
  return <div class={`card ${more}`}>{children}</div>;
}
