import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import type { Account } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { Action } from '../../parts/action.tsx';
import { InputField } from '../../parts/input-field.tsx';
import { ReadNote } from '../../parts/read-note.tsx';
import { Section } from '../../parts/section.tsx';
import { linkTo } from '../../place.ts';
import { KeysPart } from './keys-part.tsx';

export function AccountView({ id }: { id: string }): JSX.Element {
  const read = usePolled<Account>(`v1/accounts/${encodeURIComponent(id)}`, { asSelf: true });
  return (
    <>
      <div class="title">
        <h1>{read.data?.name ?? 'Account'}</h1>
        <span class="grow" />
        <a href={linkTo(['accounts'])}>All accounts</a>
      </div>
      <ReadNote of={read} />
      {read.data && <AccountForm account={read.data} onSaved={read.again} key={JSON.stringify(read.data)} />}
      {read.data && <KeysPart accountId={id} />}
    </>
  );
}

function AccountForm({ account, onSaved }: { account: Account; onSaved: () => void }): JSX.Element {
  const { limits } = account;
  const [weight, setWeight] = useState(String(account.weight));
  const [rate, setRate] = useState(String(limits.ratePerSecond ?? ''));
  const [perDay, setPerDay] = useState(String(limits.messagesPerDay ?? ''));
  const [said, setSaid] = useState('');

  async function save(): Promise<void> {
    const { ratePerSecond: _rate, messagesPerDay: _perDay, ...others } = limits;
    await call('PATCH', `v1/accounts/${account.id}`, {
      asSelf: true,
      body: {
        weight: Number(weight),
        limits: {
          ...others,
          ...(rate !== '' && { ratePerSecond: Number(rate) }),
          ...(perDay !== '' && { messagesPerDay: Number(perDay) }),
        },
      },
    });
    setSaid('The account is changed.');
    onSaved();
  }

  return (
    <Section title="Share and limits">
      <div class="form">
        <InputField
          label="Weight"
          hint="its share of capacity beside others"
          {...amount}
          value={weight}
          onText={setWeight}
        />
        <InputField
          label="Messages a second"
          hint="over all its routes; empty for no limit"
          {...amount}
          value={rate}
          onText={setRate}
        />
        <InputField
          label="Messages a day"
          hint="taken in; empty for no limit"
          {...amount}
          value={perDay}
          onText={setPerDay}
        />
      </div>
      <div class="actions">
        <Action label="Save" main run={save} />
        <span role="status">{said}</span>
      </div>
    </Section>
  );
}

const amount = { type: 'number', min: '0', step: 'any' } as const;
