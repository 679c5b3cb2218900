import type { OpenedFile } from './open-file.ts';
import type { SendOptions } from './send-options.ts';

export interface SampleMessage {
  to: string;
  from: string;
  body: string;
  template: string;
  params: Record<string, unknown>;
  problem: string | undefined;
}

/** The first messages of a file as they will be taken. */
export function sampleMessages(
  { format, rows, lines }: Pick<OpenedFile, 'format' | 'rows' | 'lines'>,
  { options, mapped }: { options: SendOptions; mapped: string[] },
): SampleMessage[] {
  if (format === 'csv') return rows.map((cells) => fromFields(fieldsOf(cells, mapped), options));
  return lines.map((line) => {
    try {
      return fromFields(JSON.parse(line) as Record<string, unknown>, options);
    } catch {
      return { ...fromFields({}, options), problem: 'This line is not JSON: it will be rejected.' };
    }
  });
}

function fieldsOf(cells: string[], mapped: string[]): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const params: Record<string, unknown> = {};
  mapped.forEach((name, index) => {
    const cell = cells[index] ?? '';
    if (cell === '') return;
    if (name.startsWith('params.')) params[name.slice('params.'.length)] = cell;
    else fields[name] = cell;
  });
  return { ...fields, params };
}

function fromFields(fields: Record<string, unknown>, options: SendOptions): SampleMessage {
  const text = (name: string, otherwise = '') =>
    typeof fields[name] === 'string' ? (fields[name] as string) : otherwise;
  const own = text('body');
  const template = text('template', own === '' ? options.template : '');
  return {
    to: text('to'),
    from: text('from', options.from),
    body: template === '' ? text('body', options.body) : '',
    template,
    params: (fields.params ?? {}) as Record<string, unknown>,
    problem: text('to') === '' ? 'It has no recipient: it will be rejected.' : undefined,
  };
}
