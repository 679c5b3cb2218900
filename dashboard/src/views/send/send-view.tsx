import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { asProblem, type Problem } from '../../api/problem.ts';
import { caller, can } from '../../api/session.ts';
import type { Page, Template } from '../../api/shapes.ts';
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
import { beginUpload, forgetUpload, running, stopUpload } from './running-upload.ts';
import { sampleMessages } from './sample-messages.ts';
import { noOptions } from './send-options.ts';
import { UploadState } from './upload-state.tsx';

/** From a file to a batch. */
export function SendView(): JSX.Element {
  const [opened, setOpened] = useState<OpenedFile>();
  const [options, setOptions] = useState(noOptions);
  const [mapped, setMapped] = useState<string[]>([]);
  const [problem, setProblem] = useState<Problem>();
  // Of one file and its options there is one batch, however often its making is tried.
  const key = useMemo(randomKey, [opened, options]);
  const { data } = usePolled<Page<Template>>(can('read') ? 'v1/templates?limit=200' : null);
  const templates = data?.data ?? [];
  const chosen = templates.find(({ name }) => name === options.template);
  const params = [...(chosen?.variables.required ?? []), ...(chosen?.variables.optional ?? [])].join();

  // The columns are guessed anew for another file or template.
  useEffect(() => setMapped(guessColumns(opened?.columns ?? [], params.split(','))), [opened, params]);

  const samples = useMemo(
    () => (opened ? sampleMessages(opened, { options, mapped }) : []),
    [opened, options, mapped],
  );

  async function open(file: File): Promise<void> {
    setProblem(undefined);
    forgetUpload();
    try {
      setOpened(await openFile(file));
    } catch (error) {
      setOpened(undefined);
      setProblem(asProblem(error));
    }
  }

  function send(event: Event): void {
    event.preventDefault();
    setProblem(undefined);
    if (opened) void beginUpload({ opened, options, mapped, key });
  }

  const shown = running.value;
  if (shown !== null && shown.ended !== 'refused') {
    return (
      <>
        <h1>Send</h1>
        <UploadState
          running={shown}
          onStop={stopUpload}
          onAgain={() => {
            forgetUpload();
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
      {caller.value?.test && (
        <p class="note">You are signed in with a test key: what is sent here reaches nobody.</p>
      )}
      <DropZone onFile={(file) => void open(file)} />
      <ProblemNote problem={problem ?? shown?.problem} />
      {opened && (
        <form class="parts" onSubmit={send}>
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

/** `crypto.randomUUID` is not there where the page came without TLS. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-');
}
