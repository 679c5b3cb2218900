/** What holds for all lines of a file. */
export interface SendOptions {
  route: string;
  from: string;
  body: string;
  template: string;
  tags: string;
  start: 'now' | 'close';
  scheduledAt: string;
}

export const noOptions: SendOptions = {
  ...{ route: '', from: '', body: '', template: '', tags: '', start: 'now', scheduledAt: '' },
};

/** The body of `POST /v1/batches`. */
export function batchOf(options: SendOptions): Record<string, unknown> {
  const { route, from, body, template, tags, start, scheduledAt } = options;
  const names = tags.split(',').map((tag) => tag.trim());
  const kept = names.filter((tag) => tag !== '');
  return {
    route,
    start,
    ...(from !== '' && { from }),
    ...(body !== '' && template === '' && { body }),
    ...(template !== '' && { template }),
    ...(kept.length > 0 && { tags: kept }),
    ...(scheduledAt !== '' && { scheduledAt: new Date(scheduledAt).toISOString() }),
  };
}
