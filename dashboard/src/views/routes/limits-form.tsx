import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import type { Route } from '../../api/shapes.ts';
import { Action } from '../../parts/action.tsx';
import { InputField } from '../../parts/input-field.tsx';
import { Section } from '../../parts/section.tsx';

/** What a route may send at most; all of its other settings stay as they are. */
export function LimitsForm({ route, onSaved }: { route: Route; onSaved: () => void }): JSX.Element {
  const [ratePerSecond, setRate] = useState(String(route.ratePerSecond ?? ''));
  const [concurrency, setConcurrency] = useState(String(route.concurrency ?? ''));
  const [said, setSaid] = useState('');

  async function save(): Promise<void> {
    const path = `v1/routes/${encodeURIComponent(route.name)}`;
    // As it is now: another administrator may have changed it meanwhile.
    const present = await call<Route>('GET', path);
    await call('PUT', path, { body: changed(present, { ratePerSecond, concurrency }) });
    setSaid('The limits are changed: workers keep to them within a second.');
    onSaved();
  }

  return (
    <Section title="Limits">
      <div class="form">
        <InputField
          label="Messages a second"
          hint="empty for no limit"
          type="number"
          min="0"
          step="any"
          inputMode="decimal"
          value={ratePerSecond}
          onText={setRate}
        />
        <InputField
          label="Requests at once"
          type="number"
          min="1"
          inputMode="numeric"
          value={concurrency}
          onText={setConcurrency}
        />
      </div>
      <div class="actions">
        <Action label="Save the limits" main run={save} />
        <span role="status">{said}</span>
      </div>
    </Section>
  );
}

function changed(
  present: Route,
  limits: { ratePerSecond: string; concurrency: string },
): Record<string, unknown> {
  const { name: _name, paused: _paused, createdAt: _createdAt, updatedAt: _updatedAt, ...rest } = present;
  const { receiptsUrl: _receiptsUrl, ratePerSecond: _rate, concurrency: _concurrency, ...fields } = rest;
  const kept = Object.entries(fields).filter(([, value]) => value !== null);
  return {
    ...Object.fromEntries(kept),
    ...(limits.ratePerSecond !== '' && { ratePerSecond: Number(limits.ratePerSecond) }),
    ...(limits.concurrency !== '' && { concurrency: Number(limits.concurrency) }),
  };
}
