import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import { Action } from '../../parts/action.tsx';
import { Field } from '../../parts/field.tsx';
import { InputField } from '../../parts/input-field.tsx';
import { Section } from '../../parts/section.tsx';

export function NewSuppression({ onMade }: { onMade: () => void }): JSX.Element {
  const [to, setTo] = useState('');
  const [channel, setChannel] = useState('sms');
  const [reason, setReason] = useState('');

  async function make(): Promise<void> {
    await call('POST', 'v1/suppressions', { body: { to, channel, ...(reason !== '' && { reason }) } });
    setTo('');
    setReason('');
    onMade();
  }

  return (
    <Section title="Suppress a recipient" aside="it gets nothing more of this account">
      <div class="form">
        <InputField label="Recipient" value={to} onText={setTo} />
        <Field label="Channel">
          {(attributes) => (
            <select
              {...attributes}
              value={channel}
              onChange={({ currentTarget }) => setChannel(currentTarget.value)}
            >
              <option>sms</option>
              <option>email</option>
            </select>
          )}
        </Field>
        <InputField label="Reason" hint="for people" value={reason} onText={setReason} />
      </div>
      <div class="actions">
        <Action label="Suppress" main disabled={to.trim() === ''} run={make} />
      </div>
    </Section>
  );
}
