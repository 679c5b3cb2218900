import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

const shownMs = 1_500;

/** An identifier that can be taken along. */
export function IdText({ id }: { id: string }): JSX.Element {
  const [copied, setCopied] = useState(false);

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(id);
      setCopied(true);
      setTimeout(() => setCopied(false), shownMs);
    } catch {
      // Without the right to it, the text is there to be marked.
    }
  }

  return (
    <span class="id">
      <code>{id}</code>
      <button type="button" class="quiet" onClick={() => void copy()} aria-label={`Copy ${id}`}>
        {copied ? 'copied' : 'copy'}
      </button>
    </span>
  );
}
