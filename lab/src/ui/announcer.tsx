import { useEffect, useState } from "preact/hooks";

let say: (text: string) => void = () => {};

/** Tells a screen reader what changed, when it has a pause. */
export function announce(text: string): void {
  say(text);
}

/** Where announcements are written; the page has one. */
export function AnnouncerRegion() {
  const [text, setText] = useState("");
  useEffect(() => {
    say = setText;
    return () => {
      say = () => {};
    };
  }, []);
  return (
    <div class="unseen" role="status" aria-live="polite">
      {text}
    </div>
  );
}
