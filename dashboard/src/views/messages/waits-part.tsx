import { Fragment, type JSX } from 'preact';
import type { Wait } from '../../api/shapes.ts';
import { moment } from '../../format/time.ts';
import { linkTo } from '../../place.ts';

/** All that keeps a message which waits. */
export function WaitsPart({ waits }: { waits: readonly Wait[] }): JSX.Element | null {
  if (waits.length === 0) return null;
  return (
    <p class="note">
      It waits for{' '}
      {waits.map((wait, index) => (
        <Fragment key={wait.reason}>
          {index > 0 && ', and for '}
          <Reason wait={wait} />
        </Fragment>
      ))}
      .
    </p>
  );
}

function Reason({ wait: { reason, until, messageId } }: { wait: Wait }): JSX.Element {
  const time = until !== undefined && <time dateTime={until}>{moment(until)}</time>;
  switch (reason) {
    case 'batch_open':
      return <>its batch to be closed</>;
    case 'batch_paused':
      return <>its batch to be resumed</>;
    case 'route_paused':
      return <>its route to be resumed</>;
    case 'scheduled':
      return <>the time that it is scheduled for, {time}</>;
    case 'retry':
      return <>its next attempt, due {time}</>;
    case 'send_window':
      return time ? <>its send window, which opens {time}</> : <>a send window that does not open</>;
    case 'earlier_message':
      return (
        <>
          <a href={linkTo(['messages', messageId ?? ''])}>an earlier message</a> of its ordering key
        </>
      );
    case 'expiry':
      return <>its end: it has expired, and is not sent any more</>;
    case 'turn':
      return (
        <>
          its turn: it is due. <a href={linkTo([])}>Flood</a> shows how its lane flows
        </>
      );
    default:
      return <>{reason}</>;
  }
}
