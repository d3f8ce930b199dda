import { useId, useState } from "preact/hooks";

interface DropZoneProps {
  readonly label: string;
  readonly button: string;
  readonly hint?: string;
  readonly multiple?: boolean;
  /** endings that the file chooser shows first, such as ".pt,.pth" */
  readonly accept?: string;
  readonly onFiles: (files: readonly File[]) => void;
}

/** A place to drop files on, with a button that opens the file chooser. */
export function DropZone({ label, button, hint, multiple, accept, onFiles }: DropZoneProps) {
  const id = useId();
  const [over, setOver] = useState(false);
  const take = (list: FileList | null | undefined) => {
    const files = [...(list ?? [])];
    if (files.length > 0) onFiles(multiple ? files : files.slice(0, 1));
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a second way beside the file input inside
    <div
      class={over ? "drop-zone drop-zone-over" : "drop-zone"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
      <p>{label}</p>
      <label class="button" for={id}>
        {button}
        <input
          id={id}
          class="drop-input"
          type="file"
          multiple={multiple}
          accept={accept}
          onChange={(event) => {
            take(event.currentTarget.files);
            // So that choosing the same file again is a change.
            event.currentTarget.value = "";
          }}
        />
      </label>
      {hint && <small class="hint">{hint}</small>}
    </div>
  );
}
