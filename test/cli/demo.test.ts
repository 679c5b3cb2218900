import { test } from 'vitest';
import { demoTimeoutMs, expectDemo } from './run-demo.ts';

test('the demonstration delivers everything once, and its books balance', () => expectDemo(), demoTimeoutMs);
