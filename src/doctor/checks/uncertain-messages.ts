import {
  readUncertainBatches,
  readUncertainSingles,
  type Uncertain,
  type UncertainBatches,
} from '../../store/inspection/read-uncertain.ts';
import { type Check, type Finding, orOk } from '../check.ts';

/** Messages that are not sent again, for nobody knows whether they were: they wait until somebody finds out. */
export const uncertainMessages: Check = {
  name: 'uncertain-messages',
  async run({ database }) {
    const singles = await readUncertainSingles(database);
    const batches = await readUncertainBatches(database);
    return orOk([...singles.map(ofSingles), ...batches.map(ofBatches)], 'no message waits for a decision');
  },
};

function ofSingles({ account, messages }: Uncertain): Finding {
  return {
    severity: 'warning',
    summary: `${counted(messages, 'message')} of account ${account} that were sent singly may or may not have arrived: they wait for a decision`,
    mend: 'With a key of the account: millrace message find --state uncertain; ask the provider, then millrace message resolve ID --as sent (or failed), or millrace message replay ID',
  };
}

function ofBatches({ account, messages, batches, newest }: UncertainBatches): Finding {
  return {
    severity: 'warning',
    summary: `${counted(messages, 'message')} of account ${account} in ${batches} ${batches === 1 ? 'batch' : 'batches'} may or may not have arrived: they wait for a decision`,
    mend: `With a key of the account: ask the provider, then millrace batch resolve ${newest} --as sent (or failed), or millrace batch replay ${newest} --state uncertain; millrace batch list counts them`,
  };
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
