import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, RawServerDefault } from 'fastify';
import type { Connector } from '../connectors/connector.ts';
import type { ReceiptIntake } from '../events/receipts/receipt-intake.ts';
import type { Intake } from '../intake/intake.ts';
import type { SecretBox } from '../lib/secret-box.ts';
import type { ApiKey, Scope } from '../message/api-key.ts';
import type { ErrorCode } from '../message/error-codes.ts';
import type { Logger } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { ControlCache } from '../store/control/control-cache.ts';
import type { Database, Queryable } from '../store/database.ts';
import type { Fault } from '../store/fault.ts';
import type { ReplicaSet } from '../store/replicas/replica-set.ts';
import type { ClientLimits } from './client-limits.ts';
import type { WritesElsewhere } from './elsewhere/writes-elsewhere.ts';
import type { KeyFreer } from './key-freer.ts';
import type { Lifecycle } from './lifecycle.ts';

/** Everything that endpoints work with. Each endpoint is a function of the app and this. */
export interface ApiContext {
  database: Database;
  /** Where reads may be made; absent without replicas. */
  replicas?: Pick<ReplicaSet, 'choose' | 'token' | 'laterTimeline'>;
  /** Where statistics are read; absent where they are kept with the messages. */
  statistics?: Queryable | undefined;
  /** Set where writes are not made here. */
  elsewhere?: WritesElsewhere;
  control: ControlCache;
  /** Seals what is stored of routes and their answers. */
  secrets: SecretBox;
  connectors: ReadonlyMap<string, Connector>;
  intake: Intake;
  /** Where bodies are kept that are judged before anything of them is stored. */
  keptBodies: string;
  receipts: ReceiptIntake;
  /** The origin by which others reach this server, where it is configured. */
  publicUrl?: string;
  lifecycle: Lifecycle;
  /** Why nothing could be written lately, if the database was full. */
  full?: () => Fault | undefined;
  /** What each key may ask for, unless its account has a limit of its own. */
  requestsPerSecond: number;
  keyFreer: KeyFreer;
  log: Logger;
  metrics: Metrics;
  clientLimits: ClientLimits;
  /** PEM; without it the server speaks plain HTTP. */
  tls?: { cert: string; key: string };
}

/** What the endpoints that take no key work with: all that a server without an API has. */
export type ProbeContext = Pick<
  ApiContext,
  'database' | 'elsewhere' | 'full' | 'lifecycle' | 'log' | 'metrics' | 'clientLimits' | 'tls'
>;

export type ApiInstance = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  Logger,
  TypeBoxTypeProvider
>;

/** Registers one endpoint. */
export type Endpoint = (app: ApiInstance, context: ApiContext) => void;

/** Who makes a request. Handlers see the things of `accountId` and of nobody else. */
export interface Caller {
  accountId: number;
  /** Set when an administrator's request names the account: it is not that of the key. */
  actsFor?: number;
  keyId: ApiKey['id'];
  scopes: readonly Scope[];
  /** What it sends is delivered to nobody. */
  test: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for every endpoint that has a scope. */
    caller: Caller;
  }

  interface FastifyContextConfig {
    /** What the key must be allowed to do, `any` for whatever a key may do, `none` for an endpoint that takes no key. */
    scope?: Scope | 'any' | 'none';
    /** Messages may leave because of it, as they do of whatever has the scope `send`. */
    sends?: true;
    /** Finds the API key where it is not in `Authorization: Bearer KEY`. */
    keyOf?: (request: FastifyRequest) => string | undefined;
    /** It is one of MessageBird's classic API, whose errors look otherwise. */
    classic?: true;
    /** The codes that this endpoint answers beside those that all do: for the documentation. */
    errors?: readonly ErrorCode[];
    /** What the documentation says of bodies that their schema does not tell all of: media type → what is in it. */
    bodies?: Readonly<Record<string, string | { description: string; schema: object }>>;
  }
}
