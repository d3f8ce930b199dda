import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface FigureProps {
  readonly title: string;
  /** what the picture shows now, in words, for who does not see it */
  readonly description: string;
  readonly caption?: ComponentChildren;
  /** stands before the title: a mark of the colour that the picture uses */
  readonly mark?: "before" | "after" | "running";
  /** whether the picture itself holds controls; then it is a group and not an image */
  readonly interactive?: boolean;
  readonly class?: string;
  readonly children: ComponentChildren;
}

/** A picture with its title, and a text that takes its place. */
export function Figure({ title, description, caption, mark, interactive, class: more = "", children }: FigureProps) {
  const id = useId();
  return (
    <figure class={`figure ${more}`}>
      <figcaption class="figure-title" id={id}>
        {mark && <span class={`swatch swatch-${mark}`} aria-hidden="true" />}
        {title}
      </figcaption>
      {interactive ? (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset is for a form's fields
        <div role="group" aria-label={title} aria-description={description}>
          {children}
        </div>
      ) : (
        <div role="img" aria-label={description}>
          {children}
        </div>
      )}
      {caption && <div class="figure-caption">{caption}</div>}
    </figure>
  );
}
