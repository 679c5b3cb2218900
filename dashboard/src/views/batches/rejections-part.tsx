import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { request } from '../../api/call.ts';
import { asProblem, type Problem } from '../../api/problem.ts';
import type { Batch } from '../../api/shapes.ts';
import { count } from '../../format/number.ts';
import { Action } from '../../parts/action.tsx';
import { download } from '../../parts/download.ts';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Section } from '../../parts/section.tsx';
import { Table } from '../../parts/table.tsx';

interface Rejection {
  line: number;
  code: string;
  detail: string;
}

const shownMax = 20;

/** The first rejected lines; all of them can be had as a file. */
export function RejectionsPart({ batch }: { batch: Batch }): JSX.Element {
  const [first, setFirst] = useState<Rejection[]>([]);
  const [problem, setProblem] = useState<Problem>();
  const { id, counts } = batch;

  // They are read anew when there are more of them.
  useEffect(() => {
    const stopped = new AbortController();
    readFirst(id, stopped.signal)
      .then(setFirst)
      .catch((error) => stopped.signal.aborted || setProblem(asProblem(error)));
    return () => stopped.abort();
  }, [id, counts.rejected]);

  return (
    <Section
      title="Rejected lines"
      aside={
        <Action
          label="Download all"
          run={() => download(`v1/batches/${id}/rejections`, `rejections-${id}.ndjson`)}
        />
      }
    >
      <ProblemNote problem={problem} />
      <Table<Rejection>
        caption="The first rejected lines"
        rows={first}
        keyOf={({ line }) => String(line)}
        empty="Loading…"
        columns={[
          { name: 'Line', numeric: true, show: ({ line }) => count(line) },
          { name: 'Code', show: ({ code }) => <code>{code}</code> },
          { name: 'Why', show: ({ detail }) => detail, wide: true },
        ]}
      />
      {counts.rejected > first.length && <small>{count(counts.rejected)} in all</small>}
    </Section>
  );
}

async function readFirst(id: string, signal: AbortSignal): Promise<Rejection[]> {
  const response = await request('GET', `v1/batches/${id}/rejections`, { signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    text += value ?? '';
    if (done || text.split('\n').length > shownMax) break;
  }
  reader.cancel().catch(() => {});
  const lines = text.split('\n').slice(0, shownMax);
  return lines.flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as Rejection] : []));
}
