import type { Static } from 'typebox';
import { Type } from 'typebox';
import { headersProblem, lineProblem } from '../../intake/field-problems.ts';
import { notATime, timesProblem } from '../../intake/time-rules.ts';
import { parseTime } from '../../lib/parse-time.ts';
import { type ErrorItem, ProblemError } from '../../message/error-codes.ts';
import { fieldLimits } from '../../message/field-limits.ts';
import { type MessageDefaults, priorityNumber } from '../../message/fields.ts';
import { limits } from '../../message/limits.ts';
import { mayUseRoute, type Route } from '../../message/route.ts';
import { neverOpen } from '../../message/send-window/opens-at.ts';
import type { TemplateEntry } from '../../message/templates/template.ts';
import { templateLimits } from '../../message/templates/template-limits.ts';
import type { NewBatch } from '../../store/intake/create-batch.ts';
import type { ApiContext, Caller } from '../context.ts';
import { invalid } from '../validation.ts';
import { SendWindowFields, sendWindowErrors } from './send-window-fields.ts';

const Text = (maxLength: number) => Type.Optional(Type.String({ maxLength }));
const Time = (description: string) => Type.Optional(Type.String({ maxLength: 40, description }));
const textCharsMax = 65_536;

/** Fields that a batch may set for all its lines, and how it is delivered. */
export const BatchInput = Type.Object(
  {
    route: Type.String({ minLength: 1, maxLength: fieldLimits.routeCharsMax }),
    from: Text(fieldLimits.fromCharsMax),
    body: Text(textCharsMax),
    html: Text(textCharsMax),
    subject: Text(fieldLimits.subjectCharsMax),
    template: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: templateLimits.nameCharsMax,
        description:
          'says body, HTML and subject, in the version that it has now, of every line that names no template itself',
      }),
    ),
    params: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'what templates are filled in with, unless a line says otherwise',
      }),
    ),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    priority: Type.Optional(Type.Union([Type.Literal('interactive'), Type.Literal('bulk')])),
    start: Type.Optional(
      Type.Union([Type.Literal('now'), Type.Literal('close')], {
        description: 'deliver from the first durable chunk on, or when the batch is closed',
      }),
    ),
    tags: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: fieldLimits.tagCharsMax }), {
        maxItems: fieldLimits.tagsMax,
      }),
    ),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    scheduledAt: Time('RFC 3339; nothing is sent before, unless a line says otherwise'),
    expiresAt: Time('RFC 3339; what is not sent by then expires, unless a line says otherwise'),
    sendWindow: Type.Optional(SendWindowFields),
    orderingKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: fieldLimits.orderingKeyCharsMax,
        description: 'for lines without one: messages of the account that share a key leave in order',
      }),
    ),
  },
  { additionalProperties: false },
);

export type BatchInput = Static<typeof BatchInput>;

/** The texts among them, which an upload in one call names in its query. */
export const BatchQuery = {
  route: BatchInput.properties.route,
  from: BatchInput.properties.from,
  body: BatchInput.properties.body,
  html: BatchInput.properties.html,
  subject: BatchInput.properties.subject,
  template: BatchInput.properties.template,
  priority: BatchInput.properties.priority,
  start: BatchInput.properties.start,
  scheduledAt: BatchInput.properties.scheduledAt,
  expiresAt: BatchInput.properties.expiresAt,
  orderingKey: BatchInput.properties.orderingKey,
};

/** Named by the interface, and refused until it is built: never ignored. */
const unavailable = ['attachments'];

/** @throws ProblemError `not_available` naming each such field of a batch's JSON or query */
export function refuseUnavailable(input: unknown, names: readonly string[] = unavailable): void {
  if (typeof input !== 'object' || input === null) return;
  const errors: ErrorItem[] = names
    .filter((name) => Object.hasOwn(input, name))
    .map((name) => ({
      pointer: `/${name}`,
      code: 'not_available',
      detail: 'is not available in this version',
    }));
  if (errors.length > 0) {
    throw new ProblemError(
      'not_available',
      `"${errors[0]!.pointer!.slice(1)}" is not available in this version`,
      {
        errors,
      },
    );
  }
}

/** @throws ProblemError `unknown_route`, also for one that the account may not use */
async function usableRoute({ control }: ApiContext, name: string, accountId: number): Promise<Route> {
  const find = () => {
    const route = control.routeByName(name);
    return route && mayUseRoute(route, accountId) ? route : undefined;
  };
  const route = find() ?? ((await control.lookAgain()) ? find() : undefined);
  if (!route) {
    throw new ProblemError(
      'unknown_route',
      `There is no route ${JSON.stringify(name)} that this account may use.`,
      {
        errors: [{ pointer: '/route', code: 'unknown_route', detail: 'is no route of this account' }],
      },
    );
  }
  return route;
}

/**
 * @throws ProblemError `unknown_route`, `unknown_template`; `validation_failed` for times and windows that cannot be obeyed, or defaults that no line
 * could set for itself
 */
export async function newBatch(
  context: ApiContext,
  { id, caller, input }: { id: string; caller: Pick<Caller, 'accountId' | 'test'>; input: BatchInput },
): Promise<NewBatch> {
  const { accountId } = caller;
  checkDefaults(input);
  const { route: routeName, priority = 'bulk', start = 'now', tags, metadata, ...rest } = input;
  const { scheduledAt, expiresAt, ...texts } = rest;
  const route = await usableRoute(context, routeName, accountId);
  checkWindow(input, route);
  const template = await usableTemplate(context, { input, accountId, route });
  const defaults: MessageDefaults = {
    ...texts,
    ...(template && { templatePin: template.pin, templateVersion: template.version }),
    ...(tags && { tags }),
    ...(metadata && { metadata }),
    ...(caller.test && { test: true as const }),
    ...batchTimes({ scheduledAt, expiresAt }, context.intake.latestScheduleMs()),
  };
  return {
    id,
    accountId,
    routeId: route.id,
    priority: priorityNumber[priority],
    startOn: start,
    defaults,
    ...(tags && { tags }),
    ...(metadata && { metadata }),
  };
}

/**
 * Looked for again each time, unlike a route: the batch keeps the version for all its lines.
 * @throws ProblemError `unknown_template`, also for another account's; `validation_failed` where it cannot be obeyed
 */
async function usableTemplate(
  { control }: ApiContext,
  { input, accountId, route }: { input: BatchInput; accountId: number; route: Route },
): Promise<TemplateEntry | undefined> {
  const { template: name } = input;
  if (name === undefined) return undefined;
  const own = (['body', 'html', 'subject'] as const).filter((field) => input[field] !== undefined);
  if (own.length > 0) {
    const detail = 'the template says it: give the one or the other';
    throw invalid(
      'body',
      own.map((field) => ({ pointer: `/${field}`, code: 'template_and_text', detail })),
    );
  }
  await control.lookAgain();
  const template = control.templatesOf(accountId).get(name);
  if (!template) {
    const detail = 'is no template of this account';
    throw new ProblemError(
      'unknown_template',
      `There is no template ${JSON.stringify(name)} of this account.`,
      {
        errors: [{ pointer: '/template', code: 'unknown_template', detail }],
      },
    );
  }
  if (route.channel !== undefined && route.channel !== template.channel) {
    const detail = `is for ${template.channel}, and the route for ${route.channel}`;
    throw invalid('body', [{ pointer: '/template', code: 'wrong_channel', detail }]);
  }
  return template;
}

function checkWindow({ sendWindow }: BatchInput, route: Route): void {
  const errors = sendWindowErrors(sendWindow, route.channel);
  if (errors.length === 0 && sendWindow && neverOpen([sendWindow, route.sendWindow], Date.now())) {
    const detail = 'is never open while that of the route is: nothing would be sent';
    errors.push({ pointer: '/sendWindow', code: 'invalid_value', detail });
  }
  if (errors.length > 0) throw invalid('body', errors);
}

/** As they are stored: in UTC. */
function batchTimes(
  texts: { scheduledAt: string | undefined; expiresAt: string | undefined },
  latestMs: number,
): Pick<MessageDefaults, 'scheduledAt' | 'expiresAt'> {
  const scheduledAt = timeOf('scheduledAt', texts.scheduledAt);
  const expiresAt = timeOf('expiresAt', texts.expiresAt);
  const times = { scheduledAtMs: scheduledAt?.getTime(), expiresAtMs: expiresAt?.getTime() };
  const problem = timesProblem(times, { latestMs });
  if (problem) throw badTime(problem.field, problem.detail);
  return {
    ...(scheduledAt && { scheduledAt: scheduledAt.toISOString() }),
    ...(expiresAt && { expiresAt: expiresAt.toISOString() }),
  };
}

function timeOf(field: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  const time = parseTime(text);
  if (time === null) throw badTime(field, notATime);
  return time;
}

function badTime(field: string, detail: string): ProblemError {
  return invalid('body', [{ pointer: `/${field}`, code: 'invalid_value', detail }]);
}

function checkDefaults({ headers, metadata, params, ...texts }: BatchInput): void {
  const problem = headers && headersProblem(headers);
  if (problem) throw invalid('body', [{ pointer: '/headers', ...problem }]);
  for (const name of ['from', 'subject'] as const) {
    const broken = lineProblem(`"${name}"`, texts[name] ?? '');
    if (broken) throw invalid('body', [{ pointer: `/${name}`, ...broken }]);
  }
  for (const [name, object] of Object.entries({ metadata, params })) {
    if (object === undefined || Buffer.byteLength(JSON.stringify(object)) <= limits.lineBytesMax) continue;
    const detail = `is larger than ${limits.lineBytesMax} bytes`;
    throw invalid('body', [{ pointer: `/${name}`, code: 'too_long', detail }]);
  }
}
