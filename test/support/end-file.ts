import { afterAll } from 'vitest';
import { runAfterFile } from './after-file.ts';
import { dropTestDatabases } from './postgres.ts';

// Registered before any hook of the test file, and so run after all of them.
afterAll(runAfterFile);
afterAll(dropTestDatabases);
