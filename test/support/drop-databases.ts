import { afterAll } from 'vitest';
import { dropTestDatabases } from './postgres.ts';

// Registered before any hook of the test file, and so run after all of them.
afterAll(dropTestDatabases);
