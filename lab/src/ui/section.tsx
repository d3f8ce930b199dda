import type { ComponentChildren } from "preact";

interface SectionProps {
  /** what the section shows, as a sentence */
  readonly title: string;
  /** one short paragraph, or several */
  readonly text?: string | readonly string[];
  readonly children?: ComponentChildren;
}

/** One message of a room: a heading that says it, a few words, and what shows it. */
export function Section({ title, text = [], children }: SectionProps) {
  return (
    <section class="section">
      <div class="section-words">
        <h2>{title}</h2>
        {[text].flat().map((words) => (
          <p key={words}>{words}</p>
        ))}
      </div>
      {children}
    </section>
  );
}
