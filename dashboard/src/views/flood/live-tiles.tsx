import type { JSX } from 'preact';
import type { LiveView } from '../../api/shapes.ts';
import { compact, count, rate } from '../../format/number.ts';
import { duration } from '../../format/time.ts';
import { Tile } from '../../parts/tile.tsx';

export function LiveTiles({ view }: { view: LiveView }): JSX.Element {
  const { rates, backlog, told } = view;
  const oldestMs =
    backlog.oldestDueAt === null ? null : Date.parse(view.at) - Date.parse(backlog.oldestDueAt);
  const leftMs =
    backlog.queued > 0 && rates.sent > 0 ? (1_000 * (backlog.queued - backlog.held)) / rates.sent : null;
  const some = told.reporting < told.workers;
  return (
    <dl class="tiles">
      <Tile label="Accepted" value={rate(rates.accepted)} unit="/s" note="made durable" />
      <Tile
        label="Sent"
        value={some && told.reporting === 0 ? '–' : rate(rates.sent)}
        unit="/s"
        note={some ? `${told.reporting} of ${told.workers} workers tell` : 'taken by providers'}
        {...(some && { tone: 'warn' as const })}
      />
      <Tile label="Delivered" value={rate(rates.delivered)} unit="/s" note="by receipts" />
      <Tile
        label="Failed"
        value={rate(rates.failed)}
        unit="/s"
        note={`${rate(rates.retried)} /s to be tried again`}
        {...(rates.failed > 0 && { tone: 'bad' as const })}
      />
      <Tile
        label="Waiting"
        value={compact(backlog.queued)}
        note={backlog.held > 0 ? `${count(backlog.held)} held` : `${count(backlog.queued)} messages`}
      />
      <Tile
        label="Oldest waiting"
        value={backlog.queued === 0 ? 'none' : oldestMs === null ? 'not due' : duration(oldestMs)}
        note={leftMs !== null && leftMs > 5_000 ? `about ${duration(leftMs)} left` : 'since it was due'}
      />
    </dl>
  );
}
