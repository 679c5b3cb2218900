import type { JSX } from 'preact';
import { latest, nowMs, staleMs } from '../../api/live.ts';
import { linkTo } from '../../place.ts';
import { ErrorsPart } from './errors-part.tsx';
import { LanesPart } from './lanes-part.tsx';
import { LiveCharts } from './live-charts.tsx';
import { LiveTiles } from './live-tiles.tsx';
import { PastPart } from './past-part.tsx';
import { type RangeName, ranges } from './ranges.ts';
import { RoutesPart } from './routes-part.tsx';
import { WorkersPart } from './workers-part.tsx';

/** What comes in, what leaves, what waits and why: of this moment, and of the past. */
export function FloodView({ query }: { query: URLSearchParams }): JSX.Element {
  const asked = query.get('range') as RangeName | null;
  const range = ranges.find(({ name }) => name === asked) ?? ranges[0]!;
  const shown = latest.value;
  const isStale = shown !== null && nowMs.value - shown.receivedMs > staleMs;
  return (
    <>
      <div class="title">
        <h1>Flood</h1>
        <span class="grow" />
        <nav class="choice" aria-label="Range of time">
          {ranges.map(({ name, label }) => (
            <button
              type="button"
              key={name}
              aria-pressed={range.name === name}
              onClick={() => {
                location.hash = linkTo(['flood'], { range: name === 'live' ? undefined : name });
              }}
            >
              {label}
            </button>
          ))}
        </nav>
      </div>
      {shown === null ? (
        <p class="empty" role="status">
          Waiting for the first figures: workers begin to tell theirs within two seconds.
        </p>
      ) : (
        <div class={isStale ? 'stale' : ''}>
          <LiveTiles view={shown.view} />
        </div>
      )}
      {range.past === undefined ? <LiveCharts /> : <PastPart past={range.past} />}
      {shown !== null && (
        <div class={isStale ? 'parts stale' : 'parts'}>
          <RoutesPart view={shown.view} />
          <LanesPart view={shown.view} />
          <div class="pair">
            <ErrorsPart view={shown.view} />
            <WorkersPart view={shown.view} />
          </div>
        </div>
      )}
    </>
  );
}
