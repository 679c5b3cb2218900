import { type Clock, systemClock } from '../../lib/clock.ts';
import { pacedLook } from '../../lib/paced-look.ts';
import type { SecretBox } from '../../lib/secret-box.ts';
import type { Account } from '../../message/account.ts';
import type { ApiKey } from '../../message/api-key.ts';
import type { Route } from '../../message/route.ts';
import type { AccountSigningKey } from '../../message/signing-key.ts';
import type { AccountTemplates } from '../../message/templates/template.ts';
import { TemplateCache } from '../../message/templates/template-cache.ts';
import type { Webhook } from '../../message/webhook.ts';
import type { Queryable } from '../database.ts';
import { readAllAccounts } from './accounts.ts';
import { readLiveKeys } from './keys.ts';
import { readAllRoutes } from './routes.ts';
import { readSigningKeys } from './signing-keys.ts';
import { loadTemplateVersions, readTemplateEntries } from './templates.ts';
import { readLiveWebhooks } from './webhooks.ts';

/**
 * Accounts, keys, routes and the names of templates in memory. A change made elsewhere is seen within `pollMs` and the time of one
 * read; one made by this process at once, by `refresh()`. What is not found here may have been made elsewhere a moment
 * ago, and its maker been told so: before it is refused, `lookAgain()`. While the database is away the last known
 * state stands: reads of it go on, and nothing can be written anyway.
 */
export interface ControlCache {
  /** Also deleted accounts, marked as such. */
  accountById(id: number): Account | undefined;
  /** `hash`: SHA-256 of the key in hex. Revoked and expired keys are not found. */
  keyByHash(hash: string): ApiKey | undefined;
  /** Live routes only. */
  routeByName(name: string): Route | undefined;
  /** Also deleted routes, marked as such. */
  routeById(id: number): Route | undefined;
  /** Also deleted routes: their messages' receipts come after them. */
  routeByReceiptsToken(token: string): Route | undefined;
  routes(): Iterable<Route>;
  /** What the templates of an account mean now; the same map until something is read again. */
  templatesOf(accountId: number): AccountTemplates;
  /** Versions of templates, in memory once they were needed. */
  readonly templates: TemplateCache;
  /** Live webhooks, the disabled ones too, marked as such. */
  webhooks(): Iterable<Webhook>;
  /** The live webhook of that name, or else the one that had it before. */
  webhookOf(accountId: number, name: string): Webhook | undefined;
  /** What the status reports of accounts' messages are signed with. */
  signingKeys(): Iterable<AccountSigningKey>;
  signingKeyOf(accountId: number): string | undefined;
  /** Calls `listener` after each reload; the answer ends that. */
  onChange(listener: () => void): () => void;
  /** Reads everything again; resolves when what was committed before the call is visible here. */
  refresh(): Promise<void>;
  /**
   * Before something is refused because it is not known here: what was committed before the call is visible when this
   * resolves. True when anything has changed meanwhile, and what was not found is to be looked for again. However many
   * ask, the database is asked about once in `lookPauseMs`. Never rejects: false while the database does not answer.
   */
  lookAgain(): Promise<boolean>;
  /**
   * As `lookAgain()`, for what must not be judged by what may be old: true when what was committed before the call is visible,
   * false while the database does not answer.
   */
  catchUp(): Promise<boolean>;
  /** Compares versions, and reloads when they differ. */
  runOnce(): Promise<void>;
  /** The first load, then polling. Rejects when the first load fails. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface ControlCacheSettings {
  database: Queryable;
  /** Opens the options of routes. */
  secrets: SecretBox;
  pollMs?: number;
  clock?: Clock;
  /** A poll failed, and the next one comes all the same; or a route cannot be opened, and stays as it was known. */
  onError?: (error: unknown) => void;
}

/** Revocation must take effect within a second everywhere (docs: design, section 5). */
const pollDefaultMs = 500;
/**
 * A flood of wrong keys, or of messages for routes that do not exist, reads one row 20 times a second at most, a tenth
 * of what 300 single messages a second commit. A refusal comes that much later, which nobody notices.
 */
const lookPauseMs = 50;
/**
 * A look takes a millisecond, a reload some tens. Without an answer by then what is refused is refused as it was
 * before anybody looked again; a database that is cut off would take the 5 s of a connection, and more.
 */
const lookWaitMs = 500;

export function createControlCache(settings: ControlCacheSettings): ControlCache {
  const { database, secrets, pollMs = pollDefaultMs, clock = systemClock } = settings;
  const listeners = new Set<() => void>();
  const ending = new AbortController();
  let image: Image = emptyImage;
  let reading: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let polling: Promise<void> | undefined;
  const templates = new TemplateCache({
    load: (keys) => loadTemplateVersions(database, keys),
    onError: (error) => settings.onError?.(error),
  });

  async function reload(): Promise<void> {
    const { image: fresh, unopened } = await readImage(database, { secrets, last: image });
    image = fresh;
    for (const error of unopened) settings.onError?.(error);
    for (const listener of listeners) listener();
  }

  /** At most one read runs and one waits: whoever comes during a read shares the one that begins after it. */
  function refresh(): Promise<void> {
    if (!reading) {
      reading = reload().finally(() => {
        reading = undefined;
      });
      return reading;
    }
    next ??= reading
      .catch(() => {})
      .then(() => {
        next = undefined;
        return refresh();
      });
    return next;
  }

  async function runOnce(): Promise<void> {
    if ((await readVersion(database)) !== image.version) await refresh();
  }

  // The poll tells of what fails.
  const look = pacedLook({ look: runOnce, pauseMs: lookPauseMs, waitMs: lookWaitMs, clock });

  async function poll(): Promise<void> {
    while (!ending.signal.aborted) {
      try {
        await clock.sleep(pollMs, ending.signal);
        await runOnce();
      } catch (error) {
        if (!ending.signal.aborted) settings.onError?.(error);
      }
    }
  }

  return {
    accountById: (id) => image.accounts.get(id),
    keyByHash(hash) {
      const key = image.keys.get(hash);
      return key?.expiresAt && key.expiresAt.getTime() <= clock.nowMs() ? undefined : key;
    },
    routeByName: (name) => image.routesByName.get(name),
    routeById: (id) => image.routes.get(id),
    routeByReceiptsToken: (token) => image.routesByToken.get(token),
    routes: () => image.routes.values(),
    templatesOf: (accountId) => image.templates.get(accountId) ?? noTemplates,
    templates,
    webhooks: () => image.webhooks.values(),
    webhookOf(accountId, name) {
      const key = webhookKey(accountId, name);
      return image.webhooks.get(key) ?? image.renamedWebhooks.get(key);
    },
    signingKeys: () => image.signingKeys.values(),
    signingKeyOf: (accountId) => image.signingKeys.get(accountId)?.key,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    refresh,
    async lookAgain() {
      const last = image;
      await look();
      return image !== last;
    },
    catchUp: look,
    runOnce,
    async start() {
      await refresh();
      polling ??= poll();
    },
    async stop() {
      ending.abort();
      await Promise.allSettled([polling, reading, next]);
    },
  };
}

interface Image {
  version: string;
  accounts: Map<number, Account>;
  keys: Map<string, ApiKey>;
  routes: Map<number, Route>;
  routesByName: Map<string, Route>;
  routesByToken: Map<string, Route>;
  templates: Map<number, AccountTemplates>;
  /** By account and name, and by account and former name. */
  webhooks: Map<string, Webhook>;
  renamedWebhooks: Map<string, Webhook>;
  /** By account. */
  signingKeys: Map<number, AccountSigningKey>;
}

const noTemplates: AccountTemplates = new Map();

const emptyImage: Image = {
  version: '',
  accounts: new Map(),
  keys: new Map(),
  routes: new Map(),
  routesByName: new Map(),
  routesByToken: new Map(),
  templates: new Map(),
  webhooks: new Map(),
  renamedWebhooks: new Map(),
  signingKeys: new Map(),
};

/** The version is read first: a change that commits meanwhile makes the next poll differ. */
async function readImage(
  database: Queryable,
  { secrets, last }: { secrets: SecretBox; last: Image },
): Promise<{ image: Image; unopened: Error[] }> {
  const version = await readVersion(database);
  const accounts = await readAllAccounts(database);
  const keys = await readLiveKeys(database);
  const templates = await readTemplateEntries(database);
  const { routes, unopened } = await readAllRoutes(database, secrets);
  const { webhooks, unopened: unopenedWebhooks } = await readLiveWebhooks(database, secrets);
  const { signingKeys, unopened: unopenedKeys } = await readSigningKeys(database, secrets);
  // Its secrets were changed by somebody with another key. Sending on by the last known ones beats failing messages.
  routes.push(...unopened.flatMap(({ id }) => last.routes.get(id) ?? []));
  const lastWebhooks = new Map([...last.webhooks.values()].map((webhook) => [webhook.id, webhook]));
  webhooks.push(...unopenedWebhooks.flatMap(({ known }) => withSecretsOf(lastWebhooks.get(known.id), known)));
  signingKeys.push(...unopenedKeys.flatMap(({ accountId }) => last.signingKeys.get(accountId) ?? []));
  const image = {
    version,
    accounts: new Map(accounts.map((account) => [account.id, account])),
    keys: new Map(keys.map(({ hash, key }) => [hash, key])),
    routes: new Map(routes.map((route) => [route.id, route])),
    routesByName: new Map(routes.filter(({ deleted }) => !deleted).map((route) => [route.name, route])),
    routesByToken: new Map(
      routes.flatMap((route) => (route.receiptsToken === undefined ? [] : [[route.receiptsToken, route]])),
    ),
    templates,
    webhooks: new Map(webhooks.map((webhook) => [webhookKey(webhook.accountId, webhook.name), webhook])),
    renamedWebhooks: new Map(
      webhooks.flatMap((webhook) =>
        webhook.formerNames.map((name): [string, Webhook] => [webhookKey(webhook.accountId, name), webhook]),
      ),
    ),
    signingKeys: new Map(signingKeys.map((signingKey) => [signingKey.accountId, signingKey])),
  };
  const errors = [...unopened, ...unopenedWebhooks, ...unopenedKeys].map(({ error }) => error);
  return { image, unopened: errors };
}

/** As it is now, with the secrets that it had. */
function withSecretsOf(last: Webhook | undefined, known: Omit<Webhook, 'secrets'>): Webhook[] {
  return last === undefined ? [] : [{ ...known, secrets: last.secrets }];
}

function webhookKey(accountId: number, name: string): string {
  return `${accountId}/${name}`;
}

async function readVersion(database: Queryable): Promise<string> {
  const { rows } = await database.query<{ version: string }>({
    name: 'control_version',
    text: 'SELECT version FROM control_version',
  });
  return rows[0]?.version ?? '';
}
