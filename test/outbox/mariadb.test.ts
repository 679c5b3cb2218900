import { afterAll, beforeAll } from 'vitest';
import { findProgram } from '../support/find-program.ts';
import { startMariadb, type TestMariadb } from '../support/mariadb.ts';
import { needs } from '../support/needs.ts';
import { mariadbApp } from './app-database.ts';
import { type OutboxSite, startOutboxSite } from './outbox-site.ts';
import { outboxSuite } from './outbox-suite.ts';

let mariadb: TestMariadb;
let url: string;
let site: OutboxSite;

beforeAll(async () => {
  if (!findProgram('mariadbd')) return;
  mariadb = await startMariadb();
  url = await mariadb.createDatabase('app');
  site = await startOutboxSite();
});

afterAll(async () => {
  await site?.stop();
  await mariadb?.stop();
});

outboxSuite(needs('mariadbd', 'mariadb-install-db'), { app: () => mariadbApp(url), site: () => site });
