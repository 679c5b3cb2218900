import { test } from 'vitest';
import { demoTimeoutMs, expectDemo } from './run-demo.ts';

test(
  'the demonstration delivers everything once also one message a request',
  () => expectDemo('--single'),
  demoTimeoutMs,
);
