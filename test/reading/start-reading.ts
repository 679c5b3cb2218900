import { expect } from 'vitest';
import { breakerDefaults, retryDefaults } from '../../src/message/route.ts';
import { putRoute } from '../../src/store/control/routes.ts';
import { startApi, type TestApi } from '../api/start-api.ts';
import { recordOutcome, type StoredBatch, storeBatch } from './store-batch.ts';

/** An API to read from, an account whose batches are stored as uploads store them, and what its reads answer. */
export interface Reading {
  api: TestApi;
  owner: { id: string; key: string };
  /** Of the owner, unless told otherwise. */
  store(settings: Partial<StoreSettings> & { lines: string[] }): Promise<StoredBatch>;
  record(outcome: Parameters<typeof recordOutcome>[1]): Promise<void>;
  get(path: string, options?: { key?: string }): ReturnType<TestApi['call']>;
  /** Every item of a list, page by page; the path has a query. */
  all(path: string): Promise<{ items: { id: string; state: string }[]; pages: number }>;
}

type StoreSettings = Parameters<typeof storeBatch>[1];

export async function startReading(): Promise<Reading> {
  const { api, routeId } = await startApiWithRoute();
  const owner = await api.makeAccount('owner', ['send', 'read']);
  const get: Reading['get'] = (path, options = {}) => api.call('GET', path, { key: owner.key, ...options });
  return {
    api,
    owner,
    store: (settings) =>
      storeBatch(api.context.database, { accountId: Number(owner.id), routeId, ...settings }),
    record: (outcome) => recordOutcome(api.context.database, outcome),
    get,
    async all(path) {
      const items = [];
      let pages = 0;
      for (let after = ''; ; pages++) {
        const { status, json } = await get(`${path}${after && `&after=${after}`}`);
        expect(status).toBe(200);
        items.push(...json.data);
        if (json.next === null) return { items, pages: pages + 1 };
        after = json.next;
      }
    },
  };
}

/** With a route `sms` that nothing is sent by. */
export async function startApiWithRoute(): Promise<{ api: TestApi; routeId: number }> {
  const api = await startApi();
  const { route } = await putRoute(api.context.database, {
    secrets: api.context.secrets,
    fields: {
      name: 'sms',
      connector: 'http',
      options: { url: 'https://provider.example/send' },
      concurrency: 1,
      retry: retryDefaults,
      breaker: breakerDefaults,
      onUncertain: 'resend',
    },
  });
  await api.context.control.refresh();
  return { api, routeId: route.id };
}

export function phone(number: number): string {
  return `+3161${String(number).padStart(7, '0')}`;
}

function lineOf(number: number): string {
  return JSON.stringify({ to: phone(number), body: `Your code is ${number}`, ref: `order-${number}` });
}

export function lines(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => lineOf(from + index));
}
