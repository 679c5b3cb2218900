import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { call } from '../../api/call.ts';
import { asProblem, type Problem } from '../../api/problem.ts';
import { can } from '../../api/session.ts';
import type { Batch, Page, Template } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { bytes } from '../../format/number.ts';
import { ProblemNote } from '../../parts/problem-note.tsx';
import { Section } from '../../parts/section.tsx';
import { ColumnChoice } from './column-choice.tsx';
import { columnsProblem, guessColumns } from './column-names.ts';
import { DropZone } from './drop-zone.tsx';
import { type OpenedFile, openFile } from './open-file.ts';
import { OptionsForm } from './options-form.tsx';
import { Preview } from './preview.tsx';
import { headerLine } from './records.ts';
import { sampleMessages } from './sample-messages.ts';
import { batchOf, noOptions } from './send-options.ts';
import { uploadFile } from './upload-file.ts';
import { type Running, UploadState } from './upload-state.tsx';

const noProgress = { sentBytes: 0, accepted: 0, rejected: 0, errors: [], waiting: undefined };

/** From a file to a batch. */
export function SendView(): JSX.Element {
  const [opened, setOpened] = useState<OpenedFile>();
  const [options, setOptions] = useState(noOptions);
  const [mapped, setMapped] = useState<string[]>([]);
  const [problem, setProblem] = useState<Problem>();
  const [running, setRunning] = useState<Running>();
  const stopping = useRef<AbortController>(undefined);
  const { data } = usePolled<Page<Template>>(can('read') ? 'v1/templates?limit=200' : null);
  const templates = data?.data ?? [];
  const chosen = templates.find(({ name }) => name === options.template);
  const params = [...(chosen?.variables.required ?? []), ...(chosen?.variables.optional ?? [])].join();

  // The columns are guessed anew for another file or template.
  useEffect(() => setMapped(guessColumns(opened?.columns ?? [], params.split(','))), [opened, params]);
  // An upload goes on while one looks elsewhere only as long as the page says how it goes.
  useEffect(() => () => stopping.current?.abort(), []);

  const samples = useMemo(
    () => (opened ? sampleMessages(opened, { options, mapped }) : []),
    [opened, options, mapped],
  );

  async function open(file: File): Promise<void> {
    setProblem(undefined);
    try {
      setOpened(await openFile(file));
    } catch (error) {
      setOpened(undefined);
      setProblem(asProblem(error));
    }
  }

  async function send(event: Event): Promise<void> {
    event.preventDefault();
    if (!opened) return;
    setProblem(undefined);
    const abort = new AbortController();
    stopping.current = abort;
    const { file, format, dataStart } = opened;
    let now: Running | undefined;
    const show = (change: Partial<Running>) => {
      now = { ...now!, ...change };
      setRunning(now);
    };
    try {
      const { id: batch } = await call<Batch>('POST', 'v1/batches', {
        body: batchOf(options),
        signal: abort.signal,
      });
      now = { batch, fileName: file.name, size: file.size, progress: noProgress, ended: 'no' };
      setRunning(now);
      const header = format === 'csv' ? headerLine(mapped) : '';
      const onProgress = (progress: Running['progress']) => show({ progress });
      await uploadFile({ file, format, dataStart, header, batch, signal: abort.signal, onProgress });
      // What became durable before a break of the way is in the counts of the batch alone.
      const { counts } = await call<Batch>('POST', `v1/batches/${batch}/close`);
      const { accepted, rejected } = counts;
      show({ ended: 'done', progress: { ...now.progress, accepted, rejected } });
    } catch (error) {
      const told = asProblem(error);
      if (now === undefined) setProblem(told);
      else show({ ended: 'stopped', problem: abort.signal.aborted ? undefined : told });
    }
  }

  if (running) {
    return (
      <>
        <h1>Send</h1>
        <UploadState
          running={running}
          onStop={() => stopping.current?.abort()}
          onAgain={() => {
            setRunning(undefined);
            setOpened(undefined);
          }}
        />
      </>
    );
  }
  const wrongColumns = opened?.format === 'csv' ? columnsProblem(mapped) : '';
  return (
    <>
      <h1>Send</h1>
      <DropZone onFile={(file) => void open(file)} />
      <ProblemNote problem={problem} />
      {opened && (
        <form class="parts" onSubmit={(event) => void send(event)}>
          <Section
            title={opened.file.name}
            aside={`${opened.format.toUpperCase()}, ${bytes(opened.file.size)}`}
          >
            <OptionsForm options={options} templates={templates} onChange={setOptions} />
          </Section>
          {opened.format === 'csv' && mapped.length === opened.columns.length && (
            <Section title="Columns">
              <ColumnChoice
                columns={opened.columns}
                sample={opened.rows[0] ?? []}
                mapped={mapped}
                onChange={setMapped}
              />
              {wrongColumns !== '' && <p class="note warn">{wrongColumns}</p>}
            </Section>
          )}
          <Preview messages={samples} />
          <p class="actions">
            <button type="submit" class="main" disabled={options.route === '' || wrongColumns !== ''}>
              Send {opened.file.name}
            </button>
            {options.route === '' && <small>Choose a route first.</small>}
          </p>
        </form>
      )}
    </>
  );
}
