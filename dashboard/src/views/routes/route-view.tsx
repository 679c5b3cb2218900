import type { JSX } from 'preact';
import { call } from '../../api/call.ts';
import { latest } from '../../api/live.ts';
import { isAdmin } from '../../api/session.ts';
import type { LiveError, LiveRoute, Route } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { count, rate, unknown } from '../../format/number.ts';
import { ago, duration } from '../../format/time.ts';
import { Action } from '../../parts/action.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';
import { Tile } from '../../parts/tile.tsx';
import { linkTo } from '../../place.ts';
import { LimitsForm } from './limits-form.tsx';
import { stateOf } from './routes-view.tsx';
import { TestForm } from './test-form.tsx';

export function RouteView({ name }: { name: string }): JSX.Element {
  const path = `v1/routes/${encodeURIComponent(name)}`;
  const read = usePolled<Route>(path, { everyMs: 5_000 });
  const live = latest.value?.view.routes.find((route) => route.name === name);
  const route = read.data;
  const post = (what: string) => async () => {
    await call('POST', `${path}/${what}`);
    read.again();
  };
  return (
    <>
      <div class="title">
        <h1>{name}</h1>
        {route && <StateMark state={stateOf(route, live)} />}
        <span class="grow" />
        <a href={linkTo(['routes'])}>All routes</a>
      </div>
      <ReadNote of={read} live />
      {route && isAdmin.value && (
        <div class="actions">
          {route.paused ? (
            <Action label="Resume" main run={post('resume')} />
          ) : (
            <Action
              label="Pause"
              run={post('pause')}
              ask={{
                title: `Pause ${name}?`,
                text: 'Nothing more is sent through it, by any account, until it is resumed. What comes in waits.',
                action: 'Pause it',
              }}
            />
          )}
        </div>
      )}
      {route && <LiveFigures live={live} />}
      {route && isAdmin.value && (
        <div class="pair">
          <LimitsForm route={route} onSaved={read.again} key={route.updatedAt} />
          <TestForm route={route} />
        </div>
      )}
      {route && <RouteErrors name={name} />}
      {route && isAdmin.value && <Settings route={route} />}
    </>
  );
}

function LiveFigures({ live }: { live: LiveRoute | undefined }): JSX.Element {
  const view = latest.value?.view;
  const atMs = view ? Date.parse(view.at) : 0;
  // What workers do not tell is not known, which is not the same as nothing.
  const isTold = (view?.told.reporting ?? 0) > 0;
  const told = (value: number | undefined, show: (value: number) => string) =>
    isTold ? show(value ?? 0) : unknown;
  const oldest = live?.oldestDueAt ? duration(atMs - Date.parse(live.oldestDueAt)) : 'none';
  return (
    <dl class="tiles">
      <Tile
        label="Sent"
        value={told(live?.sent, rate)}
        unit="/s"
        note={
          live?.ratePerSecond
            ? `may send ${rate(live.ratePerSecond)} /s`
            : isTold
              ? 'no limit, or nothing to send'
              : 'no worker tells'
        }
      />
      <Tile
        label="Failed"
        value={told(live?.failed, rate)}
        unit="/s"
        note={`${rate(live?.retried ?? 0)} /s to be tried again`}
        {...((live?.failed ?? 0) > 0 && { tone: 'bad' as const })}
      />
      <Tile label="Requests at once" value={told(live?.concurrency, count)} note="that the provider bears" />
      <Tile label="Waiting" value={count(live?.queued ?? 0)} note={`${count(live?.held ?? 0)} held`} />
      <Tile label="Oldest waiting" value={oldest} note="since it was due" />
      <Tile
        label="Breaker"
        value={live?.breaker ?? (isTold ? 'at rest' : unknown)}
        note={live?.lastError ? `${live.lastError.code}, ${ago(live.lastError.at, atMs)}` : 'no error lately'}
        {...(live?.breaker === 'open' && { tone: 'bad' as const })}
      />
    </dl>
  );
}

function RouteErrors({ name }: { name: string }): JSX.Element {
  const view = latest.value?.view;
  const errors = view?.errors.filter(({ route }) => route === name) ?? [];
  return (
    <Section title="Errors" aside={`of attempts, last ${view?.errorMinutes ?? 5} min`}>
      <Table<LiveError>
        caption="Errors of this route in the last minutes"
        rows={errors}
        keyOf={({ accountId, code }) => `${accountId} ${code}`}
        empty="No attempt has failed."
        columns={[
          { name: 'Code', show: ({ code }) => <code>{code}</code>, wide: true },
          { name: 'Account', show: ({ accountId }) => view?.accounts[accountId] ?? accountId },
          { name: 'Attempts', numeric: true, show: ({ count: attempts }) => count(attempts) },
        ]}
      />
    </Section>
  );
}

/** Of what may hold a credential only that it is there is shown: a wall has many readers. */
const secretNames = /headers|url$|token|secret|password|key|auth|credential/i;

function Settings({ route }: { route: Route }): JSX.Element {
  const shown = Object.fromEntries(
    Object.entries(route).map(([name, value]) => [
      name,
      secretNames.test(name) && value ? '(not shown)' : value,
    ]),
  );
  return (
    <Section title="Settings" aside="changed with millrace route set">
      <pre tabIndex={0}>{JSON.stringify(shown, null, 2)}</pre>
    </Section>
  );
}
