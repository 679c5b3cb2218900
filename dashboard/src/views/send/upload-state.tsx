import type { JSX } from 'preact';
import { bytes, count, percent } from '../../format/number.ts';
import { download, save } from '../../parts/download.ts';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Section } from '../../parts/section.tsx';
import { linkTo } from '../../place.ts';
import type { Running } from './running-upload.ts';

/** How an upload goes, and what became of it. */
export function UploadState(props: {
  running: Running;
  onStop: () => void;
  onAgain: () => void;
}): JSX.Element {
  const { running, onStop, onAgain } = props;
  const { batch, fileName, size, start, progress, ended, problem } = running;
  const share = size > 0 ? progress.sentBytes / size : 1;
  return (
    <Section
      title={
        ended === 'done'
          ? `${fileName} is sent`
          : ended === 'stopped'
            ? `${fileName} was stopped`
            : `Sending ${fileName}`
      }
    >
      <div class="progress">
        <div
          class="bar"
          role="progressbar"
          aria-label={`Upload of ${fileName}`}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.floor(share * 100)}
        >
          <i class="good" style={{ width: `${100 * share}%` }} />
        </div>
        <span class="figure">{percent(share)}</span>
      </div>
      <p role="status">
        {bytes(progress.sentBytes)} of {bytes(size)} · {count(progress.accepted)} accepted ·{' '}
        {count(progress.rejected)} rejected
      </p>
      {progress.waiting !== undefined && ended === 'no' && (
        <p class="note warn">{progress.waiting} It is tried again; what is durable is not sent again.</p>
      )}
      {ended === 'no' && (
        <p>It goes on while you look at other views. Leave this tab open until it is sent.</p>
      )}
      <ProblemNote problem={problem} />
      {ended === 'stopped' && (
        <p class="note warn">
          The lines that were accepted are in the batch, which is open:{' '}
          {start === 'now'
            ? 'they are delivered. Cancel the batch where that is not wanted.'
            : 'they are delivered when it is closed. Close it where that is wanted, or cancel it.'}
        </p>
      )}
      {progress.errors.length > 0 && (
        <>
          <p>The first rejected lines:</p>
          <pre tabIndex={0}>
            {progress.errors
              .slice(0, 10)
              .map(({ line, code, detail }) => `line ${line}: ${code}: ${detail}\n`)}
          </pre>
        </>
      )}
      <div class="actions">
        {ended === 'no' && (
          <button type="button" onClick={onStop}>
            Stop
          </button>
        )}
        {batch !== undefined && (
          <a class="button" href={linkTo(['batches', batch])}>
            Follow the batch
          </a>
        )}
        {progress.rejected > 0 && (
          <button type="button" onClick={() => void rejected(running)}>
            Download rejected lines
          </button>
        )}
        {ended !== 'no' && (
          <button type="button" onClick={onAgain}>
            Send another file
          </button>
        )}
      </div>
    </Section>
  );
}

/** All of them where the key may read, else the first. */
async function rejected({ batch, account, progress }: Running): Promise<void> {
  const fileName = `rejections-${batch}.ndjson`;
  try {
    await download(`v1/batches/${batch}/rejections`, fileName, { account });
  } catch {
    const lines = progress.errors.map((error) => `${JSON.stringify(error)}\n`);
    save(new Blob(lines, { type: 'application/x-ndjson' }), fileName);
  }
}
