import type { ComponentChildren } from "preact";

interface ButtonProps {
  readonly onClick: () => void;
  /** the one that a screen is about */
  readonly primary?: boolean;
  readonly disabled?: boolean;
  readonly pressed?: boolean;
  readonly label?: string;
  readonly children: ComponentChildren;
}

export function Button({ onClick, primary, disabled, pressed, label, children }: ButtonProps) {
  return (
    <button
      type="button"
      class={primary ? "button primary" : "button"}
      disabled={disabled}
      aria-pressed={pressed}
      aria-label={label}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
