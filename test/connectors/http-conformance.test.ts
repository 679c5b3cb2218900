import { httpConnector } from '../../src/connectors/http/http-connector.ts';
import { describeConnector } from './conformance.ts';
import { conformanceProvider, goneProvider, type ProviderSpeech } from './conformance-provider.ts';
import { emailExamples } from './presets/email-examples.ts';
import type { ExampleReply, ProviderExample } from './presets/provider-example.ts';
import { smsExamples } from './presets/sms-examples.ts';
import { batchResults, httpAnswer, type SeenRequest } from './scripted-provider.ts';

const plain: ProviderSpeech = {
  take: (request) =>
    httpAnswer(200, request.body.startsWith('{"messages":') ? batchResults(request) : '{"id":"p-1"}'),
  refuse: httpAnswer(422, '{"error":{"code":"badNumber"}}'),
  ids: ({ body }) => {
    const value = JSON.parse(body) as { id: string; messages?: { id: string }[] };
    return value.messages === undefined ? [value.id] : value.messages.map(({ id }) => id);
  },
  options: ({ url }) => ({ url }),
};

/** Ids of `outgoing`, where a preset's request has them. */
const idPattern = /0190b3e8-0000-7000-8000-[0-9a-f]{12}/g;

/** A provider as its documentation has it, for any number of messages. */
function speechOf({ preset, options, fields, sent, refusals }: ProviderExample): ProviderSpeech {
  const answer = ({ status, body, headers }: ExampleReply) =>
    httpAnswer(status, body === undefined ? '' : JSON.stringify(body), headers);
  return {
    take: (request) => answer({ ...sent, body: bodyFor(sent, request) }),
    refuse: answer(refusals[0]![1]),
    ids: ({ body }) => body.match(idPattern) ?? [],
    options: ({ url }) => ({ preset, ...options, url: new URL(url).origin }),
    fields: () => fields,
  };
}

/** One result for each message of a batch. */
function bodyFor({ body }: ExampleReply, request: SeenRequest): unknown {
  if (!Array.isArray(body)) return body;
  return (JSON.parse(request.body) as unknown[]).map(() => body[0] as unknown);
}

const subjects: [string, ProviderSpeech, Record<string, unknown>][] = [
  ['the http connector', plain, {}],
  ['the http connector with batches', plain, { batch: { max: 50 } }],
  ...[...smsExamples, ...emailExamples].map((example): [string, ProviderSpeech, Record<string, unknown>] => [
    `the http connector with the preset ${example.preset}`,
    speechOf(example),
    {},
  ]),
];

for (const [title, speech, options] of subjects) {
  describeConnector(title, {
    connector: httpConnector,
    startProvider: (conduct, timeoutMs) => conformanceProvider(speech, conduct, { timeoutMs, ...options }),
    unreachable: () => goneProvider(speech, options),
  });
}
