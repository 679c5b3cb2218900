import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

/** A file is dropped, or chosen by the control that the keyboard reaches. */
export function DropZone({ onFile }: { onFile: (file: File) => void }): JSX.Element {
  const [over, setOver] = useState(false);

  function take(files: FileList | null | undefined): void {
    setOver(false);
    const file = files?.[0];
    if (file) onFile(file);
  }

  return (
    <div
      role="group"
      aria-label="File to send"
      class={over ? 'drop over' : 'drop'}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        take(event.dataTransfer?.files);
      }}
    >
      <b>Drop a CSV or NDJSON file here</b>
      <label>
        <span class="unseen">File of messages</span>
        <input
          type="file"
          accept=".csv,.ndjson,.jsonl,text/csv,application/x-ndjson"
          onChange={({ currentTarget }) => take(currentTarget.files)}
        />
      </label>
      <small>It is read part by part, whatever its size. The first line of a CSV names its columns.</small>
    </div>
  );
}
