import { expect, test } from 'vitest';
import type { CommandContext } from './command-context.ts';
import { findServer } from './server-access.ts';

test.each(['localhost:8080', 'http://', 'http://127.0.0.1:8080/v1', 'http://127.0.0.1:8080/v1/'])(
  'a command is told that %s is not the URL of a server',
  (url) => {
    const context = { environment: { MILLRACE_KEY: 'k' } } as unknown as CommandContext;
    expect(() => findServer(context, { url })).toThrow(
      /url is ".*(give where the server listens|calls add \/v1 themselves)/,
    );
  },
);
