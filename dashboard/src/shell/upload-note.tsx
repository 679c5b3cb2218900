import type { JSX } from 'preact';
import { percent } from '../format/number.ts';
import { linkTo, place } from '../place.ts';
import { running } from '../views/send/running-upload.ts';

/** Says on every other view that an upload runs, or that it has ended before its file did. */
export function UploadNote(): JSX.Element | null {
  const shown = running.value;
  if (shown === null || place.value.path[0] === 'send') return null;
  const { fileName, size, progress, ended, problem } = shown;
  const link = <a href={linkTo(['send'])}>Look at it</a>;
  if (ended === 'no') {
    return (
      <p class="note plain">
        {fileName} is being sent: {percent(size > 0 ? progress.sentBytes / size : 0)}
        {progress.waiting !== undefined && ', waiting for another try'}. {link}
      </p>
    );
  }
  // Who has stopped it knows.
  if (problem === undefined) return null;
  return (
    <p class="note bad" role="alert">
      <b>{fileName} was not sent to its end.</b> {problem.detail} {link}
    </p>
  );
}
